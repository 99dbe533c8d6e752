package controller

import (
	"fmt"
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
	// leads is closed once this process works, and not only waits to.
	leads    <-chan struct{}
	mu       sync.RWMutex
	handlers map[string]http.Handler
}

func newHooks(leads <-chan struct{}) *hooks {
	return &hooks{leads: leads, handlers: map[string]http.Handler{}}
}

// WebhookPath is where a repository's webhook is served.
func WebhookPath(name client.ObjectKey) string {
	return "/webhooks/" + name.Namespace + "/" + name.Name
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-h.leads:
	default:
		http.Error(w, "another replica does the work; it finds the change by polling", http.StatusServiceUnavailable)
		return
	}
	h.mu.RLock()
	handler := h.handlers[r.URL.Path]
	h.mu.RUnlock()
	if handler == nil {
		http.Error(w, "no ModelRepository with a webhook secret has this address: use /webhooks/NAMESPACE/NAME", http.StatusNotFound)
		return
	}
	handler.ServeHTTP(w, r)
}

// dialer keeps the webhook of every Remote that is made.
func (h *hooks) dialer(dial Dialer) Dialer {
	return func(repo *schemas.ModelRepository, secret map[string][]byte, hint func(Hint)) (Remote, error) {
		remote, err := dial(repo, secret, hint)
		if err != nil {
			return remote, err
		}
		path := WebhookPath(client.ObjectKeyFromObject(repo))
		h.mu.Lock()
		defer h.mu.Unlock()
		if remote.Webhook == nil {
			delete(h.handlers, path)
		} else {
			h.handlers[path] = remote.Webhook
		}
		return remote, nil
	}
}

// remove ends a repository's webhook.
func (h *hooks) remove(name client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.handlers, WebhookPath(name))
}

// serve listens at once, so that a port that is taken is an error at the start,
// and answers once the manager runs.
func (h *hooks) serve(m manager.Manager, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for webhooks on %s: %w", address, err)
	}
	return m.Add(&manager.Server{
		Name: "webhooks", Listener: listener,
		Server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, MaxHeaderBytes: 1 << 16},
	})
}
