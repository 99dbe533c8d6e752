// Package kserve installs KServe into a running cluster: its definitions, configuration,
// admission webhooks and serving runtimes, around its own manager, which the caller runs. It is
// done when an InferenceService would be defaulted, checked and served.
package kserve

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/apply"
)

//go:embed config.yaml
var configuration []byte

// Installation is one KServe in one cluster.
type Installation struct {
	Client    dynamic.Interface
	Discovery discovery.DiscoveryInterface
	Share     string // Directory with crds/, webhooks.yaml, runtimes.yaml and storagecontainers.yaml.

	// The manager runs outside the cluster, so the API server calls its webhooks by this
	// address (https://HOST:PORT) and trusts this authority (PEM).
	WebhookURL string
	CA         []byte
}

// Define installs the resource definitions and returns when the API server serves them. The
// manager exits when it finds one missing.
func (i *Installation) Define(ctx context.Context) error {
	paths, err := filepath.Glob(filepath.Join(i.Share, "crds", "*.yaml"))
	if err != nil {
		return fmt.Errorf("looking for KServe's definitions: %w", err)
	}
	if len(paths) == 0 {
		return fmt.Errorf("there are no KServe definitions in %s; run hack/build-tools.sh", filepath.Join(i.Share, "crds"))
	}
	definitions, err := apply.ReadFiles(paths...)
	if err != nil {
		return err
	}
	group, applyCtx := errgroup.WithContext(ctx)
	for _, definition := range definitions {
		group.Go(func() error { return apply.Object(applyCtx, i.Client, definition) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// One after the other: asking for all at once keeps busy the server that is to get done.
	for _, definition := range definitions {
		if err := i.awaitServed(ctx, definition); err != nil {
			return err
		}
	}
	return nil
}

func (i *Installation) awaitServed(ctx context.Context, definition *unstructured.Unstructured) error {
	resource, err := servedResource(definition)
	if err != nil {
		return err
	}
	return apply.Until(ctx, "waiting for "+definition.GetName()+" to be served", func(ctx context.Context) error {
		if _, err := i.Client.Resource(resource).List(ctx, listOne); err != nil {
			return err
		}
		return i.discoverable(resource)
	})
}

// Configure writes the namespace and the configuration that the manager needs to start.
func (i *Installation) Configure(ctx context.Context) error {
	objects, err := apply.Parse(configuration)
	if err != nil {
		return fmt.Errorf("reading KServe's built-in configuration: %w", err)
	}
	return i.applyAll(ctx, objects)
}

// Connect makes the API server call the webhooks of the manager, which runs by now, waits until
// it does, and adds what InferenceServices refer to.
func (i *Installation) Connect(ctx context.Context) error {
	webhooks, err := apply.ReadFiles(filepath.Join(i.Share, "webhooks.yaml"))
	if err != nil {
		return err
	}
	for _, configuration := range webhooks {
		if err := callByURL(configuration, i.WebhookURL, i.CA); err != nil {
			return err
		}
	}
	if err := i.applyAll(ctx, webhooks); err != nil {
		return err
	}
	runtimes, err := apply.ReadFiles(filepath.Join(i.Share, "runtimes.yaml"), filepath.Join(i.Share, "storagecontainers.yaml"))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return i.applyAll(ctx, runtimes) })
	group.Go(func() error { return i.awaitDefaulting(ctx) })
	group.Go(func() error { return i.awaitValidation(ctx) })
	return group.Wait()
}

func (i *Installation) applyAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := apply.Object(ctx, i.Client, object); err != nil {
			return err
		}
	}
	return nil
}
