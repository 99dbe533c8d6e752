package e2e

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// gate stands between the controller and a server.
type gate struct {
	*httptest.Server
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	rules []*rule
}

// request is what a rule sees of a request.
type request struct {
	*http.Request
	body string
}

// rule says what becomes of the requests that match it.
type rule struct {
	match func(request) bool
	// answer takes the place of the server.
	answer http.HandlerFunc
	// held is not nil for a rule that holds one request back; reached is closed
	// when it did, and released when it may go on.
	held *held
}

// held is a request that waits, before the server gets it or, with done, after
// the server did what it asks for.
type held struct {
	done     bool
	reached  chan struct{}
	released chan struct{}
}

type heldKey struct{}

// newGate puts a gate before a server; transport may be nil.
func newGate(t testing.TB, target string, transport http.RoundTripper) *gate {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	g.proxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // connections of a killed controller break off
		ModifyResponse: func(r *http.Response) error {
			if h, ok := r.Request.Context().Value(heldKey{}).(*held); ok {
				h.wait(r.Request.Context())
			}
			return nil
		},
	}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.stop)
	return g
}

// newClusterGate puts a gate before the API server, and gives the access through it.
func newClusterGate(t testing.TB, config *rest.Config) (*gate, *rest.Config) {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, config.Host, transport)
	return g, &rest.Config{Host: g.URL}
}

// as sends what goes through the gate from now on in another name.
func (g *gate) as(config *rest.Config) error {
	transport, err := rest.TransportFor(config)
	g.proxy.Transport = transport
	return err
}

// stop ends watches too, for which Close alone would wait.
func (g *gate) stop() {
	g.CloseClientConnections()
	g.Close()
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule, err := g.ruleFor(r)
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case rule == nil:
		g.proxy.ServeHTTP(w, r)
	case rule.answer != nil:
		rule.answer(w, r)
	case rule.held.done:
		g.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), heldKey{}, rule.held)))
	default:
		rule.held.wait(r.Context())
		if r.Context().Err() == nil {
			g.proxy.ServeHTTP(w, r)
		}
	}
}

// ruleFor finds the rule of a request. One that holds back is used once.
func (g *gate) ruleFor(r *http.Request) (*rule, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.rules) == 0 {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	for i, rule := range g.rules {
		if !rule.match(request{r, string(body)}) {
			continue
		}
		if rule.held != nil {
			g.rules = slices.Delete(g.rules, i, i+1)
		}
		return rule, nil
	}
	return nil, nil
}

func (h *held) wait(ctx context.Context) {
	close(h.reached)
	select {
	case <-h.released:
	case <-ctx.Done():
	}
}

// hold keeps the next request that matches from reaching the server.
func (g *gate) hold(match func(request) bool) *held { return g.add(match, false) }

// holdAnswer keeps back the answer to the next request that matches.
func (g *gate) holdAnswer(match func(request) bool) *held { return g.add(match, true) }

func (g *gate) add(match func(request) bool, done bool) *held {
	h := &held{done: done, reached: make(chan struct{}), released: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = append(g.rules, &rule{match: match, held: h})
	return h
}

// replace answers requests that match in the server's place until it is lifted.
func (g *gate) replace(match func(request) bool, answer http.HandlerFunc) (lift func()) {
	r := &rule{match: match, answer: answer}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rules = append(g.rules, r)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rules = slices.DeleteFunc(g.rules, func(o *rule) bool { return o == r })
	}
}

// down makes the server unreachable: connections break off without an answer.
func (g *gate) down(match func(request) bool) (up func()) {
	g.CloseClientConnections()
	return g.replace(match, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// What rules match.

// call matches a method and a part of the path.
func call(method, path string) func(request) bool {
	return func(r request) bool { return r.Method == method && strings.Contains(r.URL.Path, path) }
}

// saying narrows a match to requests whose body contains a text.
func saying(match func(request) bool, text string) func(request) bool {
	return func(r request) bool { return match(r) && strings.Contains(r.body, text) }
}

// written matches an apply for good, not a dry run, of an InferenceService.
func written(model string) func(request) bool {
	match := call(http.MethodPatch, "/inferenceservices/"+model)
	return func(r request) bool { return match(r) && !r.URL.Query().Has("dryRun") }
}
