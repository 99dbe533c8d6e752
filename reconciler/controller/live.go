package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// differ says what an apply would do, without writing.
type differ interface {
	Diff(ctx context.Context, set apply.Set) ([]apply.ObjectDiff, error)
}

// live is this cluster as the reviews of one repository see it.
type live struct {
	differ differ
	// reader may be a cache: what is told is of the moment anyway.
	reader       client.Reader
	repository   client.ObjectKey
	environments []string
}

// Compare tries a unit's desired objects against the live ones.
func (l live) Compare(ctx context.Context, unit schemas.Unit, objects []*unstructured.Unstructured) (*review.LiveDiff, error) {
	if !slices.Contains(l.environments, unit.Environment) {
		return nil, nil
	}
	var receipt schemas.ModelRelease
	key := client.ObjectKey{Namespace: l.repository.Namespace, Name: unit.ReceiptName()}
	if err := l.reader.Get(ctx, key, &receipt); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read the receipt %s: %w", key.Name, err)
	} else if !apierrors.IsNotFound(err) && receipt.Spec.Repository != l.repository.Name {
		return nil, fmt.Errorf("the receipt %s belongs to the repository %s", key.Name, receipt.Spec.Repository)
	}
	diffs, err := l.differ.Diff(ctx, apply.Set{Unit: unit, Objects: objects, Previous: receipt.Status.Inventory})
	if err != nil {
		return nil, err
	}
	out := &review.LiveDiff{Phase: receipt.Status.Phase, Version: receipt.Status.Version, Objects: []review.LiveObject{}}
	if applied := receipt.Status.Applied; applied != nil {
		out.Revision = applied.Revision
	}
	for _, d := range diffs {
		if d.Action == apply.ActionUnchanged {
			out.Unchanged++
			continue
		}
		out.Objects = append(out.Objects, liveObject(d))
	}
	return out, nil
}

func liveObject(d apply.ObjectDiff) review.LiveObject {
	o := review.LiveObject{Object: strings.Join(slices.DeleteFunc([]string{d.Kind, d.Namespace, d.Name}, func(s string) bool { return s == "" }), "/"), Action: string(d.Action)}
	for _, f := range d.Changes {
		o.Fields = append(o.Fields, review.LiveField{Path: f.Path, Before: f.Before, After: f.After})
	}
	if d.Refusal != nil {
		o.Refusal = d.Refusal.Error()
	}
	return o
}
