package github

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
)

// ReadySince is the time since when a pull request asks for approval: since it was last made ready for review
// or reopened, else since it was opened; zero for a draft. GitHub is asked once per state of the pull request.
func (f *Forge) ReadySince(ctx context.Context, pr review.PullRequest) (time.Time, error) {
	if pr.Draft {
		return time.Time{}, nil
	}
	if since, known := f.ready.get(pr.Number, pr.UpdatedAt); known {
		return since, nil
	}
	since, err := f.client.ReadySince(ctx, f.owner, f.repo, pr.Number)
	// GitHub's times are whole seconds: what has just changed may change again without a new one.
	if err == nil && !pr.UpdatedAt.IsZero() && f.client.clock().Sub(pr.UpdatedAt) > settled {
		f.ready.put(pr.Number, pr.UpdatedAt, since)
	}
	return since, err
}

const settled = time.Minute

// readyCache keeps since when pull requests are ready, each as of its latest change.
type readyCache struct {
	mu    sync.Mutex
	known map[int]readyAt
}

type readyAt struct{ updated, since time.Time }

func (r *readyCache) get(number int, updated time.Time) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.known[number]
	return at.since, known && at.updated.Equal(updated)
}

func (r *readyCache) put(number int, updated, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[int]readyAt{}
	}
	r.known[number] = readyAt{updated, since}
}

// keep forgets all pull requests but these.
func (r *readyCache) keep(open []PullRequest) {
	still := map[int]bool{}
	for _, pr := range open {
		still[pr.Number] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.known, func(number int, _ readyAt) bool { return !still[number] })
}

// nameCoAuthors says whose the addresses of the co-authors are. GitHub is asked about the commits only that
// name one whose address tells nothing by itself.
func (f *Forge) nameCoAuthors(ctx context.Context, commits []Commit, into []review.AttributedCommit) error {
	var unknown []string
	for _, c := range commits {
		if slices.ContainsFunc(c.CoAuthors, func(a CoAuthor) bool { return a.Login == "" }) {
			unknown = append(unknown, c.SHA)
		}
	}
	authors, err := f.client.Authors(ctx, f.owner, f.repo, unknown)
	if err != nil {
		return err
	}
	for i, c := range commits {
		for _, a := range c.CoAuthors {
			named := review.CoAuthor{Email: a.Email, Login: a.Login, ID: a.ID}
			if a.Login == "" {
				account := authors[c.SHA][strings.ToLower(a.Email)]
				named.Login, named.ID = account.Login, account.ID
			}
			into[i].CoAuthors = append(into[i].CoAuthors, named)
		}
	}
	return nil
}
