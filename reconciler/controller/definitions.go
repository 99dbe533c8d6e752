package controller

import (
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/mlops-platform/mooring/schemas"
)

// ErrDefinitions: the cluster does not know Mooring's own kinds.
var ErrDefinitions = errors.New("the custom resource definitions of Mooring are not installed")

// definitionsTimeout bounds the question at the start.
const definitionsTimeout = 30 * time.Second

// checkDefinitions makes a cluster without Mooring's definitions an error at
// the start that says what to do, rather than a wait for them without a word.
func checkDefinitions(cfg *rest.Config) error {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = definitionsTimeout
	c, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("connect to the cluster: %w", err)
	}
	found, err := c.ServerResourcesForGroupVersion(schemas.APIVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("ask the cluster for the kinds of %s: %w", schemas.APIVersion, err)
	}
	served := map[string]bool{}
	if found != nil {
		for _, r := range found.APIResources {
			served[r.Kind] = true
		}
	}
	for _, kind := range []schemas.Kind{schemas.KindModelRepository, schemas.KindModelRelease} {
		if !served[string(kind)] {
			return fmt.Errorf("%w: %s of %s is not served; install them with: kubectl apply -k deploy/crds", ErrDefinitions, kind, schemas.APIVersion)
		}
	}
	return nil
}
