package controller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"

	"github.com/mlops-platform/mooring/schemas"
)

// logged are the lines of a log.
func logged(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(out.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	out.Reset()
	return lines
}

// counted are the numbers by "repository result".
func counted(t *testing.T, h *hooks) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(h.deliveries.count); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			out[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	return out
}

const hookSecret = "correct horse"

// hooked serves one repository's webhook.
func hooked(t *testing.T) (h *hooks, out *bytes.Buffer, path string) {
	t.Helper()
	out = &bytes.Buffer{}
	h = newHooks(slog.New(slog.NewJSONHandler(out, nil)))
	repo := &schemas.ModelRepository{ObjectMeta: metav1.ObjectMeta{Namespace: "mooring", Name: "models"}}
	hook, err := github.NewWebhook(github.WebhookOptions{Secret: []byte(hookSecret), MaxBody: 1000, Enqueue: func(github.Hint) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	dial := h.dialer(func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
		return Remote{Webhook: hook}, nil
	})
	if _, err := dial(repo, nil, nil); err != nil {
		t.Fatal(err)
	}
	return h, out, "/webhooks/mooring/models"
}

func post(h http.Handler, path, secret, body string, header map[string]string) int {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"ping"}, "X-Github-Delivery": {"1"},
		"X-Hub-Signature-256": {githubtest.Sign(secret, []byte(body))},
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestARefusedWebhookIsToldAndCounted(t *testing.T) {
	for _, test := range []struct {
		name               string
		path, secret, body string
		header             map[string]string
		repository, result string
		says               string // empty: nothing is told
	}{
		{"accepted", "", hookSecret, "{}", nil, "mooring/models", "accepted", ""},
		{"another secret", "", "other", "{}", nil, "mooring/models", "unverified", "the secret here and on GitHub differ"},
		{"no signature", "", hookSecret, "{}", map[string]string{"X-Hub-Signature-256": ""}, "mooring/models", "unverified", "set the webhook's secret on GitHub"},
		{"a large payload", "", hookSecret, strings.Repeat(" ", 1001), nil, "mooring/models", "too-large", "larger than 1000 bytes"},
		{"a form", "", hookSecret, "{}", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "mooring/models", "malformed", "application/json"},
		{"another repository's address", "/webhooks/mooring/others", hookSecret, "{}", nil, "", "unknown-address", "use /webhooks/NAMESPACE/NAME"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, out, path := hooked(t)
			if test.path != "" {
				path = test.path
			}
			status := post(h, path, test.secret, test.body, test.header)
			if got, want := counted(t, h), map[string]float64{test.repository + " " + test.result: 1}; !maps.Equal(got, want) {
				t.Errorf("counted are %v, want %v", got, want)
			}
			lines := logged(t, out)
			if test.says == "" {
				if len(lines) != 0 {
					t.Errorf("it says %v", lines)
				}
				return
			}
			if len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["repository"] != test.repository || lines[0]["path"] != path ||
				lines[0]["result"] != test.result || lines[0]["status"] != float64(status) || !strings.Contains(fmt.Sprint(lines[0]["reason"]), test.says) {
				t.Errorf("it says %v", lines)
			}
		})
	}
}

func TestAFloodOfWebhooksIsToldOnceAMinute(t *testing.T) {
	h, out, path := hooked(t)
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	h.deliveries.now = func() time.Time { return now }
	flood := func() {
		for i := range 500 {
			post(h, path, "guess", fmt.Sprint(i), nil)
			post(h, fmt.Sprintf("/webhooks/mooring/%d%s", i, strings.Repeat("a", 5000)), "guess", "{}", nil)
		}
	}
	flood()
	first := logged(t, out)
	if len(first) != 2 || first[0]["moreSinceLastTold"] != 0.0 || len(fmt.Sprint(first[1]["path"])) > 2*keptText {
		t.Errorf("it says %v", first)
	}
	now = now.Add(tellEvery - 1)
	flood()
	if again := logged(t, out); len(again) != 0 {
		t.Errorf("within the minute it says %v", again)
	}
	now = now.Add(1)
	flood()
	if later := logged(t, out); len(later) != 2 || later[0]["moreSinceLastTold"] != 999.0 {
		t.Errorf("after a minute it says %v", later)
	}
	if got, want := counted(t, h), map[string]float64{"mooring/models unverified": 1500, " unknown-address": 1500}; !maps.Equal(got, want) {
		t.Errorf("counted are %v, want %v", got, want)
	}
	if got := slices.Collect(maps.Keys(h.deliveries.told)); len(got) != 2 {
		t.Errorf("it remembers %v", got)
	}
}

func TestAHealthCheckIsNoWebhook(t *testing.T) {
	h, out, path := hooked(t)
	for _, path := range []string{path, "/"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	if got := counted(t, h); len(got) != 0 || out.Len() != 0 {
		t.Errorf("%v are counted, and it says %s", got, out)
	}
}

func TestNumbersOfARemovedRepositoryGo(t *testing.T) {
	h, _, path := hooked(t)
	post(h, path, "guess", "{}", nil)
	h.remove(client.ObjectKey{Namespace: "mooring", Name: "models"})
	if got := counted(t, h); len(got) != 0 || len(h.deliveries.told) != 0 {
		t.Errorf("%v and %v are left", got, h.deliveries.told)
	}
}

func TestTwoControllersOfAProcessShareTheNumbers(t *testing.T) {
	registry := prometheus.NewRegistry()
	one, two := newDeliveries(quiet), newDeliveries(quiet)
	if err := one.register(registry); err != nil {
		t.Fatal(err)
	}
	if err := two.register(registry); err != nil {
		t.Fatal(err)
	}
	if one.count != two.count {
		t.Error("they count apart")
	}
}

// A payload that is too large ends the connection: the rest of it is not read.
func TestALargePayloadEndsTheConnection(t *testing.T) {
	h, _, path := hooked(t)
	server := httptest.NewServer(h)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(strings.Repeat(" ", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=00"}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("the answer is %s, and the connection ends: %v; %v", resp.Status, resp.Close, err)
	}
}
