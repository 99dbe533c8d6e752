package review

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
)

// rebased is a pull request that was approved by mia and sam and rebased since,
// and a mirror that was made after that.
type rebased struct {
	testing.TB
	remote string
	mirror *source.Mirror
	req    Request
	// old is the head that they approved.
	old source.ID
}

func newRebased(t *testing.T) *rebased {
	t.Helper()
	r := &rebased{TB: t, remote: t.TempDir()}
	if err := os.CopyFS(r.remote, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	base := r.commit("Start")
	r.git("checkout", "-q", "-b", "pr")
	editFiles(t, r.remote, func(files map[string]string) {
		files[rankerPath] = strings.Replace(files[rankerPath], `"9"`, `"10"`, 1)
	})
	r.old = r.commit("Serve 10")
	r.git("commit", "-q", "--amend", "-m", "Serve it, once more")
	head := source.ID(r.git("rev-parse", "HEAD"))
	r.git("update-ref", "refs/pull/7/head", head.String())
	r.mirror = r.newMirror(r.remote)
	r.req = Request{Base: base, Head: head, Repository: "models", Now: asked.Add(time.Hour), People: People{
		Author: Account{Login: "ada"}, Teams: map[string][]Account{
			"acme/ml-managers": {{Login: "mia"}}, "acme/senior-ds": {{Login: "sam"}},
		},
	}}
	r.reviewed("mia", "APPROVED", r.old, 0)
	r.reviewed("sam", "APPROVED", r.old, 0)
	return r
}

func (r *rebased) git(args ...string) string {
	r.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.remote, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *rebased) commit(message string) source.ID {
	r.Helper()
	r.git("add", "-A")
	r.git("commit", "-qm", message)
	return source.ID(r.git("rev-parse", "HEAD"))
}

func (r *rebased) newMirror(url string) *source.Mirror {
	r.Helper()
	m, err := source.NewMirror(r.TempDir(), source.MirrorOptions{URL: url, Branch: "main"})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := m.Close(); err != nil {
			r.Error(err)
		}
	})
	if _, err := m.Fetch(r.Context()); err != nil {
		r.Fatal(err)
	}
	return m
}

func (r *rebased) reviewed(user, state string, commit source.ID, after time.Duration) {
	r.req.People.Reviews = append(r.req.People.Reviews, Review{
		User: user, Type: "User", State: state, CommitID: commit.String(), SubmittedAt: asked.Add(after),
	})
}

// forgetOld has the remote throw away what no reference leads to.
func (r *rebased) forgetOld() {
	r.Helper()
	r.git("reflog", "expire", "--expire=now", "--all")
	r.git("gc", "--quiet", "--prune=now")
}

// watched tells what it was asked for.
type watched struct {
	Fetcher
	asked [][]source.ID
}

func (w *watched) FetchCommits(ctx context.Context, commits ...source.ID) ([]source.ID, error) {
	if len(commits) > 0 {
		w.asked = append(w.asked, commits)
	}
	return w.Fetcher.FetchCommits(ctx, commits...)
}

// liar says that everything was brought.
type liar struct{}

func (liar) FetchCommits(context.Context, ...source.ID) ([]source.ID, error) { return nil, nil }

func TestApprovalsOfAHeadThatTheMirrorNeverSaw(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(r *rebased)
		verdict policy.Verdict
		says    string
		fails   bool
	}{
		"are found where the remote still has it": {
			func(r *rebased) { r.req.Fetcher = r.mirror }, policy.Pass, "mia approved as manager", false,
		},
		"do not count where the remote has it no more": {
			func(r *rebased) { r.forgetOld(); r.req.Fetcher = r.mirror }, policy.Pending, "no longer in the repository", false,
		},
		"do not count where nobody can be asked, as offline": {
			func(*rebased) {}, policy.Pending, "no longer in the repository", false,
		},
		"are unknown where the remote does not answer": {
			func(r *rebased) {
				r.req.Fetcher = r.mirror
				if err := os.Rename(r.remote, filepath.Join(r.TempDir(), "away")); err != nil {
					r.Fatal(err)
				}
			}, "", "have the approved commits brought: ", true,
		},
		"are unknown where it is not there after all": {
			func(r *rebased) { r.req.Fetcher = liar{} }, "", "read the reviewed commit", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRebased(t)
			tc.prepare(r)
			report, err := Evaluate(t.Context(), r.mirror.Repository, r.req)
			if tc.fails {
				if report != nil || err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v, %v, want an error with %q", report, err, tc.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != tc.verdict {
				t.Errorf("%s, want %s", report.Verdict, tc.verdict)
			}
			expect(t, strings.Join(report.Changes[0].Approvals.Reasons, "\n"), tc.says)
			expectNot(t, Headline(report), "voided") // that would be of other content
		})
	}
}

func TestOnlyApprovalsThatCanCountAreFetched(t *testing.T) {
	r := newRebased(t)
	other := func(digit string) source.ID { return source.ID(strings.Repeat(digit, 40)) }
	r.reviewed("ada", "APPROVED", other("1"), 0) // the author
	r.reviewed("robot[bot]", "APPROVED", other("2"), 0)
	r.reviewed("lou", "CHANGES_REQUESTED", other("3"), 0)
	r.reviewed("max", "APPROVED", other("4"), 0) // and thought better of it
	r.reviewed("max", "DISMISSED", other("4"), time.Minute)
	r.reviewed("kim", "COMMENTED", other("5"), 0)
	r.reviewed("joe", "APPROVED", other("6"), 2*time.Hour) // not yet
	r.reviewed("sam", "APPROVED", r.req.Head, time.Minute) // instead of that of the old head
	w := &watched{Fetcher: r.mirror}
	r.req.Fetcher = w
	report, err := Evaluate(t.Context(), r.mirror.Repository, r.req)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.asked) != 1 || !slices.Equal(w.asked[0], []source.ID{r.old}) || !report.Changes[0].Approvals.Satisfied {
		t.Errorf("asked for %v, want %s alone; %+v", w.asked, r.old, report.Changes[0].Approvals)
	}
}

// telling keeps the statuses that are written.
type telling struct {
	fakeForge
	people   People
	statuses map[string]Status
}

func (p *telling) TeamMembers(_ context.Context, team string) ([]Account, error) {
	return p.people.Teams[team], nil
}
func (p *telling) SetStatus(_ context.Context, _ source.ID, s Status) error {
	p.statuses[s.Context] = s
	return nil
}
func (p *telling) Comment(context.Context, int, string) error { return nil }

// live judges it as the controller does.
func (r *rebased) live(w *watched, now *time.Time) (*Reviewer, *telling) {
	forge := &telling{fakeForge{commits: attributed("ada", "ada"), own: []source.ID{r.req.Head}, reviews: r.req.People.Reviews}, r.req.People, map[string]Status{}}
	return &Reviewer{
		Forge: forge, Repo: r.mirror.Repository, Repository: "models", Now: func() time.Time { return *now }, Fetcher: w, Memory: NewMemory(),
	}, forge
}

func (r *rebased) pull() PullRequest { return PullRequest{Number: 7, Author: "ada", Head: r.req.Head} }

func TestCommitsThatCannotBeFetchedAreAnErrorUntilTheyCan(t *testing.T) {
	r := newRebased(t)
	away, now := filepath.Join(t.TempDir(), "away"), r.req.Now
	reviewer, forge := r.live(&watched{Fetcher: r.mirror}, &now)
	if err := os.Rename(r.remote, away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		report, err := reviewer.Review(t.Context(), r.pull(), r.req.Base)
		s := forge.statuses[StatusContext]
		if report != nil || !errors.Is(err, source.ErrNotFound) || s.State != StateError || !strings.Contains(s.Description, "will be tried again") {
			t.Fatalf("got %v, %v, told %+v", report, err, s)
		}
		if report, err := reviewer.Judge(t.Context(), r.pull(), r.req.Base, now); report != nil || err == nil {
			t.Fatalf("as merged: %v, %v", report, err)
		}
	}
	if err := os.Rename(away, r.remote); err != nil {
		t.Fatal(err)
	}
	report, err := reviewer.Review(t.Context(), r.pull(), r.req.Base)
	if err != nil || report.Verdict != policy.Pass || forge.statuses[StatusContext].State != StateSuccess {
		t.Errorf("got %+v, %v, told %+v", report, err, forge.statuses)
	}
}

func TestWhatIsGoneIsNotAskedForAtEveryLook(t *testing.T) {
	r := newRebased(t)
	r.forgetOld()
	w, now := &watched{Fetcher: r.mirror}, r.req.Now
	reviewer, forge := r.live(w, &now)
	look := func(after time.Duration, asked int) {
		t.Helper()
		now = r.req.Now.Add(after)
		forge.reviews = append(forge.reviews, Review{User: "kim", Type: "User", State: "COMMENTED", SubmittedAt: now}) // so that it is judged
		report, err := reviewer.Review(t.Context(), r.pull(), r.req.Base)
		if err != nil || report.Verdict != policy.Pending || len(w.asked) != asked {
			t.Errorf("after %s: %+v, %v, asked %d times, want %d", after, report, err, len(w.asked), asked)
		}
	}
	look(0, 1)
	look(time.Minute, 1)
	look(verifyAfter-time.Second, 1)
	look(verifyAfter, 2)
	if _, err := reviewer.Judge(t.Context(), r.pull(), r.req.Base, now); err != nil || len(w.asked) != 2 {
		t.Errorf("with a memory: %v, asked %d times", err, len(w.asked))
	}
	reviewer.Memory = nil // what is merged is judged without one
	if _, err := reviewer.Judge(t.Context(), r.pull(), r.req.Base, now); err != nil || len(w.asked) != 3 {
		t.Errorf("without a memory: %v, asked %d times", err, len(w.asked))
	}
}

// A clock that is behind the forge's passed over every review of the last while,
// among them a request for changes, and said nothing.
func TestReviewsCountThoughTheClockHereIsBehind(t *testing.T) {
	r := newRebased(t)
	now := r.req.Now.Add(-2 * time.Hour)
	reviewer, forge := r.live(&watched{Fetcher: r.mirror}, &now)
	judge := func(want policy.Verdict) {
		t.Helper()
		report, err := reviewer.Review(t.Context(), r.pull(), r.req.Base)
		if err != nil || report.Verdict != want {
			t.Fatalf("got %+v, %v, want %s", report, err, want)
		}
	}
	judge(policy.Pass)
	forge.reviews = append(forge.reviews, Review{User: "mia", Type: "User", State: "CHANGES_REQUESTED", SubmittedAt: r.req.Now.Add(time.Minute)})
	judge(policy.Fail)
	merged := r.pull()
	merged.MergedAt = now
	if report, err := reviewer.Judge(t.Context(), merged, r.req.Base, merged.MergedAt); err != nil || report.Verdict != policy.Pending {
		t.Errorf("a merge counts what was said after it: %+v, %v", report, err)
	}
}
