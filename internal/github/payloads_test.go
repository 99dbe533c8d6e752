package github_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// delivery is a push, signed where a secret is given.
func delivery(tb testing.TB, url, id, secret string, body io.Reader, signed []byte) *http.Request {
	tb.Helper()
	r := must(http.NewRequestWithContext(tb.Context(), http.MethodPost, url, body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", id)
	if secret != "" {
		r.Header.Set("X-Hub-Signature-256", githubtest.Sign(secret, signed))
	}
	return r
}

func answerOf(tb testing.TB, r *http.Request) *http.Response {
	tb.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err = io.Copy(io.Discard, resp.Body); err == nil {
		err = resp.Body.Close()
	}
	ok(tb, err)
	return resp
}

func TestStrangersCannotFillTheMemory(t *testing.T) {
	const each = 1 << 16
	payloads := &github.Payloads{Max: 2 * each}
	var hooks [2]*httptest.Server // two repositories of one process
	for i := range hooks {
		h := must(github.NewWebhook(github.WebhookOptions{
			Secret: []byte(hookSecret), MaxBody: each + 1, Payloads: payloads, Enqueue: func(github.Hint) error { return nil },
		}))
		hooks[i] = httptest.NewServer(h)
		defer hooks[i].Close()
	}
	good := []byte(`{"repository":{"full_name":"acme/models"}}`)
	send := func(hook int, id string) *http.Response {
		return answerOf(t, delivery(t, hooks[hook].URL, id, hookSecret, bytes.NewReader(good), good))
	}
	if resp := send(0, "before"); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("before: %s", resp.Status)
	}

	// Two send as much as they may and do not end.
	var strangers sync.WaitGroup
	var pipes []*io.PipeWriter
	for i := range hooks {
		body, into := io.Pipe()
		pipes = append(pipes, into)
		defer into.Close() // before the servers', which wait for the end of what they read
		strangers.Go(func() {
			resp, err := http.DefaultClient.Do(delivery(t, hooks[i].URL, "x", "another secret", body, nil))
			if err != nil {
				t.Error(err)
				return
			}
			if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("a stranger got %s, %v", resp.Status, err)
			}
		})
		_, err := into.Write(make([]byte, each))
		ok(t, err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); payloads.Held() < payloads.Max; { // what was written is on its way
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d bytes are held", payloads.Held())
		}
	}
	if resp := send(0, "later"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("while there is no room: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	if resp := answerOf(t, delivery(t, hooks[0].URL, "none", "", strings.NewReader("x"), nil)); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("what has no signature is not read: %s", resp.Status)
	}
	for _, p := range pipes {
		ok(t, p.Close())
	}
	strangers.Wait()
	if resp := send(0, "later"); resp.StatusCode != http.StatusAccepted {
		t.Errorf("afterwards: %s", resp.Status)
	}
}

// BenchmarkWebhook has fifty senders deliver 1 MiB each, signed, over HTTP, and
// prints how long 99 of a hundred wait for the answer at most.
func BenchmarkWebhook(b *testing.B) {
	const senders = 50
	h := must(github.NewWebhook(github.WebhookOptions{Secret: []byte(hookSecret), Enqueue: func(github.Hint) error { return nil }}))
	server := httptest.NewServer(h)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	body := []byte(`{"repository":{"full_name":"acme/models"},"x":"` + strings.Repeat("x", 1<<20) + `"}`)
	signature := githubtest.Sign(hookSecret, body)
	work := make(chan int)
	took := make([]time.Duration, b.N)
	var running sync.WaitGroup
	for range senders {
		running.Go(func() {
			for i := range work {
				r := delivery(b, server.URL, fmt.Sprint(i), "", bytes.NewReader(body), nil)
				r.Header.Set("X-Hub-Signature-256", signature)
				began := time.Now()
				resp, err := client.Do(r)
				took[i] = time.Since(began)
				if err != nil {
					b.Error(err)
					continue
				}
				if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusAccepted {
					b.Errorf("%s, %v", resp.Status, err)
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		work <- i
	}
	close(work)
	running.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[(len(took)-1)*99/100].Microseconds())/1000, "p99-ms")
}
