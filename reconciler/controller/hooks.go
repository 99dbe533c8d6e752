package controller

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mlops-platform/mooring/schemas"
)

// hooks serves every repository's webhook at /webhooks/NAMESPACE/NAME. Each has
// its own secret; a repository without one has no webhook and is polled.
type hooks struct {
	mu       sync.RWMutex
	handlers map[string]hook
	// deliveries count what comes in.
	deliveries *deliveries
}

// hook is a repository's webhook.
type hook struct {
	repository string // NAMESPACE/NAME
	handler    http.Handler
}

func newHooks(log *slog.Logger) *hooks {
	return &hooks{handlers: map[string]hook{}, deliveries: newDeliveries(log)}
}

// WebhookPath is where a repository's webhook is served.
func WebhookPath(name client.ObjectKey) string {
	return "/webhooks/" + name.Namespace + "/" + name.Name
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.RLock()
	to, known := h.handlers[r.URL.Path]
	h.mu.RUnlock()
	if !known {
		to.handler = http.HandlerFunc(nobody)
	}
	h.deliveries.watch(to.repository, to.handler, w, r)
}

// nobody answers where no repository has a webhook.
func nobody(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "no ModelRepository with a webhook secret has this address: use /webhooks/NAMESPACE/NAME", http.StatusNotFound)
}

// dialer keeps the webhook of every Remote that is made.
func (h *hooks) dialer(dial Dialer) Dialer {
	return func(repo *schemas.ModelRepository, secret map[string][]byte, hint func(Hint)) (Remote, error) {
		remote, err := dial(repo, secret, hint)
		if err != nil {
			return remote, err
		}
		name := client.ObjectKeyFromObject(repo)
		path := WebhookPath(name)
		h.mu.Lock()
		defer h.mu.Unlock()
		if remote.Webhook == nil {
			delete(h.handlers, path)
		} else {
			h.handlers[path] = hook{name.String(), remote.Webhook}
		}
		return remote, nil
	}
}

// remove ends a repository's webhook.
func (h *hooks) remove(name client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.handlers, WebhookPath(name))
	h.deliveries.forget(name.String())
}

// serve answers until the context ends. Only the replica that leads listens: a
// load balancer whose health check or connection is refused turns to the other
// one, where it would hand on an answer.
func (h *hooks) serve(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for webhooks on %s: %w", address, err)
	}
	server := &manager.Server{
		Name: "webhooks", Listener: listener,
		Server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: 1 << 16},
	}
	return server.Start(ctx)
}
