package controller

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

type noContent struct{}

func (noContent) ReadBlob(context.Context, source.ID) ([]byte, error) { return nil, nil }

// A model that found no namespace was looked at again only after 30 s when the
// watch told of the namespace later than the tenancy said that it was live.
func TestANamespaceInSightWakesTheModelsThatWaitForIt(t *testing.T) {
	model := schemas.Unit{Team: "a", Model: "m", Environment: "staging"}
	others := []schemas.Unit{{Team: "a", Model: "m", Environment: "production"}, {Team: "b", Model: "m", Environment: "staging"}}
	ledger := release.NewLedger()
	for _, u := range append(others, model) {
		ledger.Approved[u.Path()] = schemas.ApprovedFile{Path: u.Path(), Blob: "0123456789012345678901234567890123456789"}
	}
	fleet, err := release.Load(t.Context(), noContent{}, "models", ledger, nil)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	f := &Fleets{Namespace: "mooring-system", Enqueue: func(k client.ObjectKey) { asked = append(asked, k.Name) }}
	f.Set(repositoryKey, fleet, "tip", time.Time{})
	tenancy := schemas.Unit{Team: "a", Environment: "staging"}
	for name, c := range map[string]struct {
		event drift.Event
		want  []string
	}{
		"a team's namespace": {
			drift.Event{Unit: tenancy, GVK: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}},
			[]string{tenancy.ReceiptName(), model.ReceiptName()}},
		"a team's quota": {
			drift.Event{Unit: tenancy, GVK: schema.GroupVersionKind{Version: "v1", Kind: "ResourceQuota"}},
			[]string{tenancy.ReceiptName()}},
		"a namespace that is gone": {
			drift.Event{Unit: tenancy, GVK: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Deleted: true},
			[]string{tenancy.ReceiptName()}},
	} {
		asked = nil
		f.Seen(c.event)
		if !slices.Equal(asked, c.want) {
			t.Errorf("%s: asked for %v, want %v", name, asked, c.want)
		}
	}
}
