package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// deliveries counts what became of webhooks, and tells which were refused: GitHub
// shows our answer only to those who may see a repository's settings.
//
//	mooring_webhooks_total{repository,result}    counter    webhooks by what became of them; repository is empty where the address is nobody's
//
// What is told is bounded, whoever sends: a label is the name of a ModelRepository,
// and of each repository and result there is a line a minute at most.
type deliveries struct {
	log   *slog.Logger
	now   func() time.Time
	count *prometheus.CounterVec

	mu   sync.Mutex
	told map[delivered]telling
}

// delivered is what became of a webhook.
type delivered struct {
	repository string // NAMESPACE/NAME
	result     string
}

// telling is when a refusal was last told, and how many there were since.
type telling struct {
	at    time.Time
	since int
}

// tellEvery is how far apart two lines about the same are at least.
const tellEvery = time.Minute

// Results of a webhook.
const (
	hookAccepted   = "accepted"
	hookUnknown    = "unknown-address"
	hookUnverified = "unverified"
	hookTooLarge   = "too-large"
	hookBusy       = "busy"
	hookMalformed  = "malformed"
)

func newDeliveries(log *slog.Logger) *deliveries {
	return &deliveries{
		log: log, now: time.Now, told: map[delivered]telling{},
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mooring_webhooks_total", Help: "Webhooks by what became of them.",
		}, []string{"repository", "result"}),
	}
}

// register shows the numbers. Registered twice, as by two controllers in one
// process, they are shared.
func (d *deliveries) register(r prometheus.Registerer) error {
	err := r.Register(d.count)
	if known := (prometheus.AlreadyRegisteredError{}); errors.As(err, &known) {
		if there, ok := known.ExistingCollector.(*prometheus.CounterVec); ok {
			d.count, err = there, nil
		}
	}
	if err != nil {
		return fmt.Errorf("register the numbers of webhooks: %w", err)
	}
	return nil
}

// watch has a handler answer, and keeps what it answered. What is not sent by
// POST is no webhook but a health check or somebody's browser.
func (d *deliveries) watch(repository string, handler http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		handler.ServeHTTP(w, r)
		return
	}
	kept := &keptAnswer{ResponseWriter: w, status: http.StatusOK}
	handler.ServeHTTP(kept, r)
	what := delivered{repository, resultOf(kept.status)}
	if repository == "" {
		what.result = hookUnknown
	}
	d.count.WithLabelValues(what.repository, what.result).Inc()
	if what.result == hookAccepted {
		return
	}
	if since, due := d.due(what); due {
		d.log.Warn("a webhook was refused; polling finds the change later", "repository", repository, "path", clipPath(r.URL.Path),
			"result", what.result, "status", kept.status, "reason", strings.TrimSpace(string(kept.text)), "moreSinceLastTold", since)
	}
}

// due reports whether a refusal is told now, and how many of its kind were not.
func (d *deliveries) due(what delivered) (since int, due bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	last, before := d.told[what]
	if before && d.now().Sub(last.at) < tellEvery {
		last.since++
		d.told[what] = last
		return 0, false
	}
	d.told[what] = telling{at: d.now()}
	return last.since, true
}

// forget takes a repository's numbers away.
func (d *deliveries) forget(repository string) {
	d.count.DeletePartialMatch(prometheus.Labels{"repository": repository})
	d.mu.Lock()
	defer d.mu.Unlock()
	for what := range d.told {
		if what.repository == repository {
			delete(d.told, what)
		}
	}
}

func resultOf(status int) string {
	switch {
	case status < http.StatusMultipleChoices:
		return hookAccepted
	case status == http.StatusUnauthorized:
		return hookUnverified
	case status == http.StatusRequestEntityTooLarge:
		return hookTooLarge
	case status == http.StatusServiceUnavailable:
		return hookBusy
	}
	return hookMalformed
}

// keptAnswer hands an answer on and keeps its status and the beginning of what it
// says, which are our own words.
type keptAnswer struct {
	http.ResponseWriter
	status int
	text   []byte
}

const keptText = 200

// WriteHeader ends the connection after a payload that is too large, as
// [http.MaxBytesReader] does itself where it sees the server's own writer.
func (k *keptAnswer) WriteHeader(status int) {
	k.status = status
	if status == http.StatusRequestEntityTooLarge {
		k.Header().Set("Connection", "close")
	}
	k.ResponseWriter.WriteHeader(status)
}

func (k *keptAnswer) Write(p []byte) (int, error) {
	k.text = append(k.text, p[:min(len(p), keptText-len(k.text))]...)
	return k.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (k *keptAnswer) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// clipPath bounds what a stranger puts into the log.
func clipPath(path string) string {
	if len(path) <= keptText {
		return path
	}
	return strings.ToValidUTF8(path[:keptText], "") + "…"
}
