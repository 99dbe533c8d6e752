package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAWaitOutlastsABusyServerAndNoOtherError(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		ends bool
	}{
		"a server that asks to come back":   {apierrors.NewTooManyRequests("later", 1), false},
		"a server whose store is slow":      {apierrors.NewInternalError(errors.New("etcdserver: request timed out")), false},
		"a server that refuses":             {apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "a", nil), true},
		"a busy server behind other words":  {fmt.Errorf("list the receipts: %w", apierrors.NewTimeoutError("slow", 1)), false},
		"something that is wrong by itself": {errors.New("no such field"), true},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			err := (&World{}).Until(t.Context(), "it holds", func(context.Context) (string, bool, error) {
				looks++
				if looks == 1 {
					return "", false, test.err
				}
				return "", true, nil
			})
			if ended := err != nil; ended != test.ends || ended && !strings.Contains(err.Error(), test.err.Error()) {
				t.Errorf("after %d looks: %v", looks, err)
			}
		})
	}
}
