package apply_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/test/cluster"
)

const limit = time.Minute

// cut breaks the line to the real API server for requests that match.
type cut struct {
	http.RoundTripper
	matches func(*http.Request) bool
}

func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.matches(r) {
		return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: errors.New("line cut")}
	}
	return c.RoundTripper.RoundTrip(r)
}

func cutApplier(t *testing.T, matches func(*http.Request) bool) *apply.Applier {
	t.Helper()
	cfg := rest.CopyConfig(cluster.Config(t))
	cfg.Wrap(func(inner http.RoundTripper) http.RoundTripper { return cut{inner, matches} })
	applier, err := apply.New(cfg, apply.Options{Retry: apply.Retry{Attempts: 2, First: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return applier
}

func isWrite(r *http.Request) bool {
	return r.Method == http.MethodPatch && !strings.Contains(r.URL.RawQuery, "dryRun")
}

func TestAnApplyThatBreaksOffLosesNothing(t *testing.T) {
	f := setup(t)
	first := f.mustApply(apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("old", "1")}})
	broken := cutApplier(t, func(r *http.Request) bool { return isWrite(r) && strings.HasSuffix(r.URL.Path, "/bad") })
	set := apply.Set{Unit: unit, Previous: first.Inventory, Objects: []*unstructured.Unstructured{f.configMap("good", "1"), f.configMap("bad", "1")}}
	result, err := broken.Apply(t.Context(), set)
	partial := (*apply.PartialError)(nil)
	if !errors.As(err, &partial) || partial.Applied != 1 || partial.Total != 2 {
		t.Fatalf("error %v", err)
	}
	names := map[string]bool{}
	for _, entry := range result.Inventory {
		names[entry.Name] = true
	}
	if !names["old"] || !names["good"] || !f.exists("old") {
		t.Errorf("inventory %v", names)
	}
	set.Previous = result.Inventory
	if done := f.mustApply(set); len(done.Inventory) != 2 || len(done.Pruned) != 1 || f.exists("old") {
		t.Errorf("continued: %+v", done)
	}
}

func TestSilenceIsNoAnswer(t *testing.T) {
	f := setup(t)
	deaf := cutApplier(t, func(r *http.Request) bool { return r.Method == http.MethodPatch })
	_, err := deaf.Apply(t.Context(), apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "1")}})
	refused := (*apply.RefusedError)(nil)
	if !errors.Is(err, apply.ErrUnavailable) || errors.As(err, &refused) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Apply(ctx, apply.Set{Unit: unit, Objects: []*unstructured.Unstructured{f.configMap("a", "1")}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
