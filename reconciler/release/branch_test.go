package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	low  = "models/data-science/demand-forecast/development/deployment.yaml"
	high = "models/data-science/churn-predictor/production/deployment.yaml"
	// other belongs to nobody's pull request.
	other = "models/data-science/email-classifier/staging/deployment.yaml"
)

// history is a clone of the example repository, made by git itself, and a forge
// that knows which of its commits came by a pull request.
type history struct {
	testing.TB
	dir    string
	now    time.Time
	merged map[source.ID]*review.PullRequest
	// fails are the commits, or "reviews", that the forge does not answer about.
	fails map[string]error
	asked int
	// reviews are those of every pull request.
	reviews []review.Review
}

func newHistory(t testing.TB) *history {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	h := &history{TB: t, dir: t.TempDir(), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		merged: map[source.ID]*review.PullRequest{}, fails: map[string]error{}}
	if err := os.CopyFS(h.dir, os.DirFS("../../example-repo")); err != nil {
		t.Fatal(err)
	}
	h.git("init", "--quiet", "--initial-branch=main")
	h.commit("Start")
	return h
}

func (h *history) git(args ...string) string {
	h.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = h.dir
	stamp := fmt.Sprintf("%d +0000", h.now.Unix())
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_AUTHOR_DATE=" + stamp,
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com", "GIT_COMMITTER_DATE=" + stamp,
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		h.Fatalf("git %v: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func (h *history) rev(name string) source.ID { h.Helper(); return source.ID(h.git("rev-parse", name)) }

func (h *history) commit(message string) source.ID {
	h.Helper()
	h.now = h.now.Add(time.Minute)
	h.git("add", "--all")
	h.git("commit", "--quiet", "--allow-empty", "-m", message)
	return h.rev("HEAD")
}

// edit replaces text in a file; an empty replacement of nothing removes it.
func (h *history) edit(path, before, after string) {
	h.Helper()
	full := filepath.Join(h.dir, path)
	if before == "" {
		if err := os.Remove(full); err != nil {
			h.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(full)
	if err != nil || !strings.Contains(string(content), before) {
		h.Fatalf("%s does not contain %q: %v", path, before, err)
	}
	if err := os.WriteFile(full, []byte(strings.Replace(string(content), before, after, 1)), 0o600); err != nil {
		h.Fatal(err)
	}
}

// propose makes a branch of its own with one commit per edit.
func (h *history) propose(branch string, edits ...func()) source.ID {
	h.Helper()
	h.git("checkout", "--quiet", "-b", branch)
	for _, e := range edits {
		e()
		h.commit("On " + branch)
	}
	head := h.rev("HEAD")
	h.git("checkout", "--quiet", "main")
	return head
}

// land merges a branch in one of GitHub's ways, as pull request number.
func (h *history) land(number int, branch, way string) source.ID {
	h.Helper()
	h.now = h.now.Add(time.Minute)
	pr := &review.PullRequest{Number: number, Author: "ada", Head: h.rev(branch), Base: "main", MergedAt: h.now}
	before := h.rev("main")
	switch way {
	case "merge":
		h.git("merge", "--quiet", "--no-ff", "-m", "Merge "+branch, branch)
	case "squash":
		h.git("merge", "--quiet", "--squash", branch)
		h.git("commit", "--quiet", "-m", "Squash "+branch)
	case "rebase":
		h.git("cherry-pick", "--allow-empty", "main.."+branch)
	}
	for _, id := range strings.Fields(h.git("rev-list", "--first-parent", before.String()+"..main")) {
		h.merged[source.ID(id)] = pr
	}
	return h.rev("main")
}

func (h *history) repo() *source.Repository {
	h.Helper()
	r, err := source.Open(h.dir)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := r.Close(); err != nil {
			h.Error(err)
		}
	})
	return r
}

func (h *history) branch(known map[source.ID]Step) Branch {
	h.Helper()
	r := h.repo()
	return Branch{Repo: r, Name: "main", Known: known, Reviewer: &review.Reviewer{
		Forge: h, Repo: r, Repository: "models", Now: func() time.Time { return h.now.Add(time.Hour) },
	}}
}

// judge is what becomes of the ledger that trusts the first tip.
func (h *history) judge(from, to source.ID) (Ledger, []Merge) {
	h.Helper()
	b := h.branch(nil)
	ledger, _ := NewLedger().Trust(h.content(b.Repo, from), from)
	return h.judgeOn(b, ledger, from, to)
}

// judgeOn is what becomes of a ledger between two tips.
func (h *history) judgeOn(b Branch, ledger Ledger, from, to source.ID) (Ledger, []Merge) {
	h.Helper()
	b.Approved = ledger.Approved
	merges, err := b.Merges(h.Context(), from, to)
	if err != nil {
		h.Fatal(err)
	}
	ledger, _ = ledger.Judge(to, h.content(b.Repo, to), merges, h.now)
	return ledger, merges
}

func (h *history) content(r *source.Repository, commit source.ID) map[string]source.ID {
	h.Helper()
	tree, err := r.Tree(h.Context(), commit)
	if err != nil {
		h.Fatal(err)
	}
	return Content(tree)
}

func (h *history) MergedPullRequest(_ context.Context, _ string, commit source.ID) (*review.PullRequest, error) {
	h.asked++
	return h.merged[commit], h.fails[commit.String()]
}

func (h *history) Reviews(context.Context, int) ([]review.Review, error) {
	return h.reviews, h.fails["reviews"]
}

func (h *history) Commits(context.Context, int) (review.CommitList, error) {
	var list review.CommitList
	for _, id := range strings.Fields(h.git("rev-list", "--all")) {
		list.Commits = append(list.Commits, review.AttributedCommit{ID: source.ID(id), Author: "ada", Committer: "ada"})
	}
	return list, nil
}

func (h *history) OpenPullRequests(context.Context, string) ([]review.PullRequest, error) {
	return nil, nil
}
func (h *history) FilesTruncated(context.Context, int) (bool, error) { return false, nil }
func (h *history) TeamMembers(context.Context, string) ([]review.Account, error) {
	return nil, nil
}
func (h *history) SetStatus(context.Context, source.ID, review.Status) error { return nil }
func (h *history) Comment(context.Context, int, string) error                { return nil }
func (h *history) UpdateComment(context.Context, int, string) error          { return nil }
func (h *history) version(path, from, to string) func()                      { return func() { h.edit(path, from, to) } }
func (h *history) held(l Ledger, path, because string) {
	h.Helper()
	if q, held := l.Quarantined[path]; !held || !strings.Contains(q.Reason, because) {
		h.Errorf("%s: quarantined is %v, %q; want a reason with %q", path, held, q.Reason, because)
	}
}

func (h *history) clean(l Ledger, path string, to source.ID, number int) {
	h.Helper()
	if a := l.Approved[path]; a.PullRequest != number || a.Commit != to.String() || len(l.Quarantined) > 0 {
		h.Errorf("%s stands by #%d at %s, quarantined are %v; want #%d at %s", path, a.PullRequest, a.Commit, l.Quarantined, number, to)
	}
}

func TestApprovedPullRequestIsTakenOverHoweverItIsMerged(t *testing.T) {
	for _, way := range []string{"merge", "squash", "rebase"} {
		t.Run(way, func(t *testing.T) {
			h := newHistory(t)
			from := h.rev("main")
			h.propose("topic", h.version(low, `version: "7"`, `version: "8"`), h.version(low, `version: "8"`, `version: "9"`))
			to := h.land(1, "topic", way)
			ledger, merges := h.judge(from, to)
			h.clean(ledger, low, to, 1)
			if len(merges) != 1 {
				t.Errorf("%d merges were found", len(merges))
			}
			if a := ledger.Approved[low]; a.Digest == "" || a.Level != "low" || len(a.By) == 0 {
				t.Errorf("the approval lacks its grounds: %+v", a)
			}
		})
	}
}

func TestSeveralPullRequestsAndPushesBetweenThem(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("one", h.version(low, `version: "7"`, `version: "8"`))
	one := h.land(1, "one", "rebase")
	h.edit(other, `version: "5"`, `version: "6"`)
	h.commit("Skip the review")
	h.propose("two", h.version(high, `version: "2"`, `version: "3"`))
	to := h.land(2, "two", "rebase")
	ledger, merges := h.judge(from, to)
	if len(merges) != 2 || merges[0].Commit != one || merges[1].Commit != to {
		t.Fatalf("the merges are %+v", merges)
	}
	if a := ledger.Approved[low]; a.PullRequest != 1 {
		t.Errorf("#1 was not taken over: %+v", a)
	}
	h.held(ledger, other, "without a pull request")
	h.held(ledger, high, "#2 was merged without its approvals")
	if ledger.Approved[high].Commit != from.String() {
		t.Errorf("the last good content of %s no longer stands", high)
	}
}

func TestMergeThatLeavesOtherContentThanWasReviewed(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	h.git("merge", "--quiet", "--no-ff", "--no-commit", "topic")
	h.edit(low, `version: "8"`, `version: "9"`) // an evil merge
	h.git("add", "--all")
	h.git("commit", "--quiet", "-m", "Merge topic")
	to := h.rev("main")
	h.merged[to] = &review.PullRequest{Number: 1, Author: "ada", Head: h.rev("topic"), Base: "main", MergedAt: h.now}
	ledger, _ := h.judge(from, to)
	h.held(ledger, low, "reviewed with other content")
}

// sparse is a mirror of the history, as a process makes it that begins now.
func (h *history) sparse() *source.Mirror {
	h.Helper()
	m, err := source.NewMirror(h.TempDir(), source.MirrorOptions{URL: h.dir, Branch: "main"})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		if err := m.Close(); err != nil {
			h.Error(err)
		}
	})
	if _, err := m.Fetch(h.Context()); err != nil {
		h.Fatal(err)
	}
	return m
}

// TestMergeAfterAForcedPushThatAFreshMirrorDidNotSee: where the branch stood is
// in no copy that was made since.
func TestMergeAfterAForcedPushThatAFreshMirrorDidNotSee(t *testing.T) {
	h := newHistory(t)
	start := h.rev("main")
	h.edit(other, `version: "5"`, `version: "6"`)
	from := h.commit("To be taken back")
	ledger, _ := NewLedger().Trust(h.content(h.repo(), start), start)
	h.git("reset", "--quiet", "--hard", start.String())
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	to := h.land(1, "topic", "squash")
	h.git("update-ref", "refs/pull/1/head", h.rev("topic").String())
	m := h.sparse()
	b := h.branch(nil)
	b.Repo, b.Reviewer.Repo, b.Reviewer.Fetcher = m.Repository, m.Repository, m

	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(h.dir, away); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Merges(t.Context(), from, to); !errors.Is(err, source.ErrNotFound) {
		t.Errorf("where nobody can be asked: %v", err)
	}
	if err := os.Rename(away, h.dir); err != nil {
		t.Fatal(err)
	}
	ledger, _ = h.judgeOn(b, ledger, from, to)
	h.clean(ledger, low, to, 1)
}

// TestMergeOfWhatCannotBeFetchedWaits: an approved commit that cannot be asked
// for is neither an approval nor a reason for quarantine.
func TestMergeOfWhatCannotBeFetchedWaits(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	to := h.land(1, "topic", "squash")
	h.reviews = []review.Review{{User: "max", Type: "User", State: "APPROVED", CommitID: strings.Repeat("1", 40), SubmittedAt: h.now.Add(-time.Minute)}}
	b := h.branch(nil)
	b.Reviewer.Fetcher = unreachable{}
	ledger, _ := NewLedger().Trust(h.content(b.Repo, from), from)
	_, merges := h.judgeOn(b, ledger, from, to)
	if len(merges) != 1 || !strings.Contains(merges[0].Unknown, errRemote.Error()) || merges[0].Files[low].Approved != nil || merges[0].Files[low].Refusal != "" {
		t.Errorf("the merges are %+v", merges)
	}
}

var errRemote = errors.New("remote unreachable")

// unreachable has what the branch is made of, and brings nothing else.
type unreachable struct{}

func (unreachable) FetchCommits(_ context.Context, commits ...source.ID) ([]source.ID, error) {
	if slices.Contains(commits, source.ID(strings.Repeat("1", 40))) {
		return nil, errRemote
	}
	return nil, nil
}

func TestForcedPushAndUnrelatedHistory(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	was := h.land(1, "topic", "squash")
	h.git("reset", "--quiet", "--hard", from.String())
	h.edit(low, `version: "7"`, `version: "6"`)
	forced := h.commit("Rewrite")
	ledger, _ := h.judge(was, forced)
	h.held(ledger, low, "without a pull request")

	h.git("checkout", "--quiet", "--orphan", "other")
	h.commit("Another beginning")
	orphan := h.rev("HEAD")
	h.git("merge", "--quiet", "-s", "ours", "--allow-unrelated-histories", "-m", "Join", was.String())
	joined := h.rev("HEAD")
	h.merged[joined] = &review.PullRequest{Number: 2, Author: "ada", Head: was, Base: "main", MergedAt: h.now}
	for to, because := range map[source.ID]string{orphan: "without a pull request", joined: "#2 was reviewed with other content"} {
		ledger, _ = h.judge(was, to)
		h.held(ledger, low, because)
	}
}

func TestForgeThatDoesNotAnswerApprovesAndQuarantinesNothing(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	to := h.land(1, "topic", "squash")
	h.fails[to.String()] = errors.New("no answer")
	if merges, err := h.branch(nil).Merges(t.Context(), from, to); err == nil || merges != nil {
		t.Errorf("got %v and the merges %v", err, merges)
	}
	delete(h.fails, to.String())

	h.fails["reviews"] = errors.New("502")
	ledger, merges := h.judge(from, to)
	if upTo, why := JudgedUpTo(to, merges); upTo != from || !strings.Contains(why, "#1") || !strings.Contains(why, "502") {
		t.Errorf("judged up to %s, because %q", upTo, why)
	}
	if len(ledger.Quarantined) > 0 || ledger.Approved[low].Commit != from.String() {
		t.Errorf("something was decided: %+v", ledger.Quarantined)
	}
	h.now = h.now.Add(judgedWithin)
	ledger, merges = h.judge(from, to)
	if upTo, _ := JudgedUpTo(to, merges); upTo != to {
		t.Error("it is still waited for after a day")
	}
	h.held(ledger, low, "could not be judged")
}

func TestFreshPushIsGivenAMomentToBecomeAMerge(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.edit(low, `version: "7"`, `version: "8"`)
	to := h.commit("Pushed, or merged?")
	b := h.branch(nil)
	b.Seen = map[source.ID]time.Time{}
	// The clock here is behind the one that made the commit.
	met := h.now.Add(-time.Minute)
	for _, look := range []struct {
		after   time.Duration
		unknown bool
	}{{0, true}, {freshPush - 1, true}, {freshPush, false}} {
		b.Reviewer.Now = func() time.Time { return met.Add(look.after) }
		merges, err := b.Merges(t.Context(), from, to)
		if err != nil || (len(merges) == 1) != look.unknown {
			t.Errorf("%s after it was met: %v, %v", look.after, merges, err)
		}
	}
}

// lowerFacts makes the model with the highest risk one of no risk at all.
func (h *history) lowerFacts() {
	for before, after := range map[string]string{
		"businessImpact: high": "businessImpact: low", "customerExposure: direct": "customerExposure: none", "dataSensitivity: pii": "dataSensitivity: public",
		"regulations: [gdpr]": "regulations: []", "explainability: required": "explainability: none",
	} {
		h.edit(high, before, after)
	}
}

// What was pushed past the gate must not make the next pull request harmless.
func TestNothingIsBuiltOnAPushThatLowersFacts(t *testing.T) {
	for name, push := range map[string]func(h *history){
		"its facts are lowered": (*history).lowerFacts,
		"it is removed":         func(h *history) { h.edit(high, "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t)
			from := h.rev("main")
			ledger, _ := NewLedger().Trust(h.content(h.branch(nil).Repo, from), from)
			push(h)
			pushed := h.commit("Push past the gate")
			ledger, _ = h.judgeOn(h.branch(nil), ledger, from, pushed)
			h.held(ledger, high, "without a pull request")
			h.propose("topic", func() {
				h.git("checkout", "--quiet", from.String(), "--", high)
				h.lowerFacts()
				h.edit(high, `version: "2"`, `version: "3"`)
			})
			to := h.land(1, "topic", "squash")
			ledger, _ = h.judgeOn(h.branch(nil), ledger, pushed, to)
			h.held(ledger, high, "#1 changed content of this file that was not approved itself")
			if ledger.Approved[high].Commit != from.String() {
				t.Errorf("the last good content no longer stands: %+v", ledger.Approved[high])
			}
		})
	}
}

// In one look, too: the push and the pull request after it are judged together.
func TestAPushLowersNoRiskOfWhatIsJudgedWithIt(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.lowerFacts()
	h.commit("Push past the gate")
	h.propose("topic", h.version(high, "", "")) // a removal is judged by what stands approved, too
	to := h.land(1, "topic", "squash")
	ledger, _ := h.judge(from, to)
	h.held(ledger, high, "#1 was merged without its approvals")
}

// Whoever can force the branch back and forth must not bring back what was
// reverted since it was approved.
func TestWhatWasReplacedIsNotApprovedAnew(t *testing.T) {
	h := newHistory(t)
	start := h.rev("main")
	ledger, _ := NewLedger().Trust(h.content(h.branch(nil).Repo, start), start)
	h.propose("one", h.version(low, `version: "7"`, `version: "8"`))
	first := h.land(1, "one", "squash")
	ledger, _ = h.judgeOn(h.branch(nil), ledger, start, first)
	h.propose("revert", h.version(low, `version: "8"`, `version: "7"`))
	second := h.land(2, "revert", "squash")
	ledger, _ = h.judgeOn(h.branch(nil), ledger, first, second)
	h.clean(ledger, low, second, 2)
	at := second
	for _, tip := range []source.ID{start, first} { // one look at each
		ledger, _ = h.judgeOn(h.branch(nil), ledger, at, tip)
		at = tip
	}
	h.held(ledger, low, "#1 brought it before what stands approved")
	if ledger.Approved[low].PullRequest != 2 {
		t.Errorf("the revert no longer stands: %+v", ledger.Approved[low])
	}
}

// Nor what was removed since, whoever has been restarted meanwhile and whether or
// not there is still a receipt of it.
func TestWhatWasRemovedIsNotApprovedAnew(t *testing.T) {
	h := newHistory(t)
	start := h.rev("main")
	ledger, _ := NewLedger().Trust(h.content(h.branch(nil).Repo, start), start)
	h.propose("one", h.version(low, `version: "7"`, `version: "8"`))
	first := h.land(1, "one", "squash")
	ledger, _ = h.judgeOn(h.branch(nil), ledger, start, first)
	h.propose("remove", func() { h.edit(low, "", "") })
	at := h.land(2, "remove", "squash")
	ledger, _ = h.judgeOn(h.branch(nil), ledger, first, at)
	if a, known := ledger.Approved[low]; !known || a.Blob != "" || a.PullRequest != 2 {
		t.Fatalf("the removal does not stand: %+v", a)
	}
	for _, tip := range []source.ID{start, first} {
		var repo schemas.ModelRepository
		ledger.SetStatus(&repo.Status, nil)
		delete(ledger.Approved, low) // its receipt is gone
		for _, a := range repo.Status.Approved {
			ledger.Approved[a.Path] = a
		}
		ledger, _ = h.judgeOn(h.branch(nil), ledger, at, tip)
		at = tip
	}
	h.held(ledger, low, "#1 changed content of this file that was not approved itself")
}

// Governing files that a branch was forced back to govern nothing, though they
// were approved once.
func TestRulesOfAForcedBackBranchApproveNothing(t *testing.T) {
	h := newHistory(t)
	start := h.rev("main")
	h.edit(governance, "levels: {medium: 15, high: 30}", "levels: {medium: 5, high: 10}")
	tightened := h.commit("Tighten the levels")
	b := h.branch(nil)
	ledger, _ := NewLedger().Trust(h.content(b.Repo, start), start)
	before, after := h.content(b.Repo, start)[governance], h.content(b.Repo, tightened)[governance]
	ledger.approve(schemas.ApprovedFile{Path: governance, Blob: after.String(), Before: before.String(), Commit: tightened.String(), PullRequest: 2})
	h.git("reset", "--quiet", "--hard", start.String())
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	to := h.land(3, "topic", "squash")
	ledger, _ = h.judgeOn(b, ledger, tightened, to)
	h.held(ledger, low, "governance.yaml on the branch was not approved")
}

// A manifest that begins to serve another registered model is judged as that
// one's other manifests are.
func TestAnOldNameForAnotherModelIsJudgedByThatModel(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, "    name: demand-forecast", "    name: churn-predictor"), h.version(low, `version: "7"`, `version: "2"`))
	to := h.land(1, "topic", "squash")
	ledger, _ := h.judge(from, to)
	h.held(ledger, low, "#1 was merged without its approvals")
}

func TestKnownStepsAreNotAskedAboutAgain(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`))
	h.land(1, "topic", "squash")
	h.edit(high, `version: "2"`, `version: "3"`)
	to := h.commit("Skip the review")
	b := h.branch(map[source.ID]Step{})
	for range 3 {
		if merges, err := b.Merges(t.Context(), from, to); err != nil || len(merges) != 1 {
			t.Fatalf("%v, %v", merges, err)
		}
	}
	if h.asked != 3 { // the squash, the push as a possible second of it, the push
		t.Errorf("the forge was asked %d times", h.asked)
	}
}

func TestBranchIsForcedBackToTheMiddleOfAKnownStep(t *testing.T) {
	h := newHistory(t)
	from := h.rev("main")
	h.propose("topic", h.version(low, `version: "7"`, `version: "8"`), h.version(low, `version: "8"`, `version: "9"`))
	to := h.land(1, "topic", "rebase")
	b := h.branch(map[source.ID]Step{})
	if merges, err := b.Merges(t.Context(), from, to); err != nil || len(merges) != 1 || merges[0].Commit != to {
		t.Fatalf("%v, %v", merges, err)
	}
	h.git("reset", "--quiet", "--hard", "HEAD^")
	middle := h.rev("main")
	merges, err := b.Merges(t.Context(), from, middle)
	if err != nil || len(merges) != 1 || merges[0].Commit != middle || merges[0].Files[low].Approved != nil {
		t.Errorf("forced back to its first commit: %+v, %v", merges, err)
	}
}

func TestWithoutAForgeNothingIsApproved(t *testing.T) {
	h := newHistory(t)
	if merges, err := (Branch{Repo: h.repo(), Name: "main"}).Merges(t.Context(), "x", "y"); err != nil || merges != nil {
		t.Errorf("%v, %v", merges, err)
	}
}

func (h *history) ReadySince(context.Context, review.PullRequest) (time.Time, error) {
	return time.Time{}, nil
}
