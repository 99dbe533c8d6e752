package apply

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mlops-platform/mooring/schemas"
)

func entries(kind string, n int) []schemas.InventoryEntry {
	out := make([]schemas.InventoryEntry, n)
	for i := range out {
		out[i] = schemas.InventoryEntry{APIVersion: "v1", Kind: kind, Namespace: "ds", Name: kind + string(rune('a'+i))}
	}
	return out
}

func TestGuardPrune(t *testing.T) {
	one := []*unstructured.Unstructured{parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep, namespace: ds}")}
	cases := []struct {
		name   string
		set    Set
		refuse bool
	}{
		{"nothing to remove", Set{Objects: one}, false},
		{"as many as the default", Set{Objects: one, Previous: entries("ConfigMap", DefaultMaxPrune)}, false},
		{"one more than the default", Set{Objects: one, Previous: entries("ConfigMap", DefaultMaxPrune+1)}, true},
		{"a raised limit", Set{Objects: one, Previous: entries("ConfigMap", 20), MaxPrune: 20}, false},
		{"pruning forbidden", Set{Objects: one, Previous: entries("ConfigMap", 1), MaxPrune: -1}, true},
		{"one kind protected", Set{Objects: one, Previous: entries("InferenceService", 1), MaxPruneKind: map[string]int{"InferenceService": 0}}, true},
		{"another kind protected", Set{Objects: one, Previous: entries("ConfigMap", 1), MaxPruneKind: map[string]int{"InferenceService": 0}}, false},
		{"an empty set", Set{Previous: entries("ConfigMap", 1)}, true},
		{"an empty set after nothing", Set{}, false},
		{"namespaces stay anyhow", Set{Objects: one, Previous: entries("Namespace", 20)}, false},
	}
	for _, c := range cases {
		err := guardPrune(c.set, obsolete(c.set))
		if guard := (*PruneGuardError)(nil); errors.As(err, &guard) != c.refuse {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAnotherVersionOfTheAPIIsNotPruned(t *testing.T) {
	set := Set{
		Objects:  []*unstructured.Unstructured{parse(t, "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a, namespace: ds}")},
		Previous: []schemas.InventoryEntry{{APIVersion: "autoscaling/v1", Kind: "HorizontalPodAutoscaler", Namespace: "ds", Name: "a"}},
	}
	if got := obsolete(set); len(got) != 0 {
		t.Errorf("would remove %v", got)
	}
}

func TestStages(t *testing.T) {
	var targets []*target
	for _, kind := range []string{"Deployment", "ResourceQuota", "Namespace", "ServiceAccount", "Service"} {
		version := "v1"
		if kind == "Deployment" {
			version = "apps/v1"
		}
		targets = append(targets, &target{obj: parse(t, "apiVersion: "+version+"\nkind: "+kind+"\nmetadata: {name: a}")})
	}
	var got []string
	for _, stage := range stages(targets) {
		var kinds []string
		for _, t := range stage {
			kinds = append(kinds, t.obj.GetKind())
		}
		got = append(got, strings.Join(kinds, "+"))
	}
	if want := "Namespace ResourceQuota+ServiceAccount Deployment+Service"; strings.Join(got, " ") != want {
		t.Errorf("stages %v, want %s", got, want)
	}
}

func TestRetry(t *testing.T) {
	resource := schema.GroupResource{Resource: "things"}
	quick := Retry{Attempts: 4, First: time.Microsecond, Longest: time.Millisecond}
	cases := []struct {
		name string
		err  error
		want int
	}{
		{"too many requests", apierrors.NewTooManyRequests("slow down", 1), 4},
		{"a webhook that does not answer", apierrors.NewInternalError(errors.New("failed calling webhook")), 4},
		{"a race", apierrors.NewConflict(resource, "a", errors.New("changed")), 4},
		{"forbidden", apierrors.NewForbidden(resource, "a", errors.New("no")), 1},
		{"invalid", apierrors.NewBadRequest("no"), 1},
		{"the context ended", context.Canceled, 1},
	}
	for _, c := range cases {
		calls := 0
		err := quick.do(context.Background(), func() error { calls++; return c.err })
		if calls != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %d calls, want %d, error %v", c.name, calls, c.want, err)
		}
	}
	calls := 0
	if err := quick.do(context.Background(), func() error {
		if calls++; calls < 3 {
			return apierrors.NewServiceUnavailable("starting")
		}
		return nil
	}); err != nil || calls != 3 {
		t.Errorf("recovery: %v after %d calls", err, calls)
	}
	if pause := (Retry{}).orDefault().pause(1, apierrors.NewTooManyRequests("slow", 3600)); pause != 5*time.Second {
		t.Errorf("a server asks for an hour, pause %s", pause)
	}
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	secret := &target{obj: parse(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: ds}")}
	answer := &apierrors.StatusError{ErrStatus: metav1.Status{
		Code: 422, Reason: metav1.StatusReasonInvalid, Message: `Secret "a" is invalid: data[k]: Invalid value: "hunter2"`,
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Field: "data[k]", Message: `Invalid value: "hunter2"`}}},
	}}
	refusal, ok := explain(secret, answer)
	if !ok || strings.Contains(refusal.Error(), "hunter2") || strings.Contains(refusal.Err.Error(), "hunter2") || !strings.Contains(refusal.Message, "data[k]") {
		t.Errorf("refusal %v, %v", refusal.Error(), refusal.Err)
	}
	if !apierrors.IsInvalid(refusal.Err) {
		t.Error("the kind of the error is lost")
	}
	service := &target{obj: parse(t, isvc+"metadata: {name: a}")}
	refusal, _ = explain(service, apierrors.NewBadRequest("cannot use https://user:hunter2@host/model"))
	if strings.Contains(refusal.Error(), "hunter2") {
		t.Errorf("refusal %v", refusal.Error())
	}
}
