package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

var errLetGo = errors.New("502")

// stuck is a forge that does not answer until it is let go.
type stuck struct {
	review.Forge
	asked, free chan struct{}
}

func (s stuck) OpenPullRequests(ctx context.Context, _ string) ([]review.PullRequest, error) {
	close(s.asked)
	select {
	case <-s.free:
		return nil, errLetGo
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A webhook is answered by putting its hint into a queue: while a look at the
// same repository waits for GitHub, every delivery is answered all the same.
func TestWebhooksAreAnsweredWhileALookIsHeldUp(t *testing.T) {
	const secret, deliveries = "correct horse", 100
	repo := &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: "mooring", Name: "models"}, Spec: schemas.ModelRepositorySpec{URL: t.TempDir()},
	}
	forge := stuck{asked: make(chan struct{}), free: make(chan struct{})}
	hooks, hints := newHooks(quiet), &inbox{}
	r := &Repositories{
		Client: fakeCluster(t, repo), MirrorDir: t.TempDir(), Now: time.Now, Log: slog.New(slog.DiscardHandler), Hint: hints.Add, Statuses: NewStatuses(nil, quiet),
		Dial: hooks.dialer(func(_ *schemas.ModelRepository, _ map[string][]byte, hint func(Hint)) (Remote, error) {
			hook, err := github.NewWebhook(github.WebhookOptions{Secret: []byte(secret), Enqueue: func(h github.Hint) error {
				hint(Hint{PullRequest: h.PullRequest, Push: h.Event == "push"})
				return nil
			}})
			return Remote{Forge: forge, Webhook: hook}, err
		}),
	}
	conn, err := r.connect(t.Context(), repo)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan error, 1)
	go func() { looked <- r.askForReviews(t.Context(), repo, conn, source.Refs{}, nil) }()
	<-forge.asked

	server := httptest.NewServer(hooks)
	defer server.Close()
	var senders sync.WaitGroup
	for i := range deliveries {
		senders.Go(func() {
			body := fmt.Appendf(nil, `{"pull_request":{"number":%d},"repository":{"full_name":"acme/models"}}`, i+1)
			if status, err := deliver(t.Context(), server.URL+WebhookPath(client.ObjectKeyFromObject(repo)), secret, fmt.Sprint(i), body); err != nil || status != http.StatusAccepted {
				t.Errorf("delivery %d: %d, %v", i, status, err)
			}
		})
	}
	senders.Wait() // nothing else lets the look go
	select {
	case err := <-looked:
		t.Fatalf("the look was not held up: %v", err)
	default:
	}
	if got := r.attention.take(client.ObjectKeyFromObject(repo), time.Now(), time.Hour); got != nil || len(hints.early) != 1 {
		t.Errorf("before the first whole look all is looked at, once: %v, %v", got, hints.early)
	}
	close(forge.free)
	if err := <-looked; !errors.Is(err, errLetGo) {
		t.Error(err)
	}
}

func deliver(ctx context.Context, url, secret, id string, body []byte) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"pull_request"}, "X-Github-Delivery": {id},
		"X-Hub-Signature-256": {githubtest.Sign(secret, body)},
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
