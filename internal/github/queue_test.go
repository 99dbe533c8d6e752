package github_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// board is everybody who may have to approve something of the example.
var board = map[string]string{
	"lead": "ds-leads", "max": "ml-managers", "sam": "senior-ds", "ada": "ml-architects", "pia": "product",
	"lea": "legal", "sid": "security", "octo-admin": "platform", "octo-vp": "",
}

// gate is the example repository on GitHub, with everybody whom its rules name, and Mooring without a cluster.
type gate struct {
	testing.TB
	world
	people   map[string]*githubtest.Person
	mirror   *source.Mirror
	reviewer *review.Reviewer
}

func newGate(t testing.TB) *gate {
	t.Helper()
	s := must(githubtest.New(githubtest.Options{}))
	t.Cleanup(func() { ok(t, s.Close()) })
	g := &gate{TB: t, world: world{Server: s}, people: map[string]*githubtest.Person{}}
	g.root, g.dev, g.bot = must(s.CreateUser("root")), must(s.CreateUser("dev")), must(s.CreateUser("mooring-bot"))
	ok(t, s.CreateOrg(owner, "root"))
	ok(t, s.AddMember(owner, "dev", "mooring-bot"))
	for login, team := range board {
		g.people[login] = must(s.CreateUser(login))
		ok(t, s.AddMember(owner, login))
		if team != "" {
			ok(t, s.CreateTeam(owner, githubtest.Team{Slug: team, Members: []string{login}}))
		}
	}
	ok(t, s.CreateRepo(repo, githubtest.Repo{Dir: "../../example-repo"}))
	for _, login := range []string{"dev", "mooring-bot"} {
		ok(t, s.Grant(repo, login, githubtest.Write))
	}
	ok(t, g.root.Protect(t.Context(), repo, "main", true, "mooring"))
	g.mirror = must(source.NewMirror(t.TempDir(), source.MirrorOptions{
		URL: s.CloneURL(repo), Branch: "main",
		Credentials: source.CredentialsFunc(func(context.Context, string) (source.Credential, error) {
			return source.Credential{Password: g.bot.Token}, nil
		}),
	}))
	t.Cleanup(func() { ok(t, g.mirror.Close()) })
	g.reviewer = &review.Reviewer{Forge: g.client(t).Forge(owner, name), Repo: g.mirror.Repository, Repository: name, Now: time.Now}
	return g
}

// serve proposes another version of a staging model, approved by everybody.
func (g *gate) serve(model, from, to string) int {
	g.Helper()
	path := "models/data-science/" + model + "/staging/deployment.yaml"
	content := string(must(g.content(path)))
	if !strings.Contains(content, from) {
		g.Fatalf("%s has no %s", path, from)
	}
	_ = must(g.dev.Push(g.Context(), repo, githubtest.Push{Branch: model, From: "refs/heads/main", Files: map[string][]byte{path: []byte(strings.Replace(content, from, to, 1))}}))
	n := must(g.dev.OpenPullRequest(g.Context(), repo, githubtest.Pull{Title: "Serve " + model, Head: model}))
	for _, p := range g.people {
		_ = must(p.Review(g.Context(), repo, n, githubtest.Approve, ""))
	}
	return n
}

func (g *gate) content(path string) ([]byte, error) {
	refs, err := g.mirror.Fetch(g.Context())
	if err != nil {
		return nil, err
	}
	tree, err := g.mirror.Tree(g.Context(), refs.Branch.New)
	if err != nil {
		return nil, err
	}
	return g.mirror.ReadBlob(g.Context(), tree.File(path).Blob)
}

// look is one poll: every open pull request and everything in the queue is judged, in the order given for the queue.
func (g *gate) look(order func([]source.Queued)) {
	g.Helper()
	refs := must(g.mirror.Fetch(g.Context()))
	queue := review.Queue{Tip: refs.Branch.New, Entries: refs.Queue, Open: map[int]review.PullRequest{}}
	for _, pr := range must(g.reviewer.Forge.OpenPullRequests(g.Context(), "main")) {
		queue.Open[pr.Number] = pr
		_ = must(g.reviewer.Review(g.Context(), pr, refs.Branch.New))
	}
	entries := slices.Clone(refs.Queue)
	order(entries)
	for _, e := range entries {
		_ = must(g.reviewer.ReviewQueued(g.Context(), queue, e))
	}
}

func (g *gate) status(sha string) (state, description string) {
	g.Helper()
	var combined struct {
		Statuses []struct{ Context, State, Description string }
	}
	ok(g.TB, g.root.Call(g.Context(), "GET", fmt.Sprintf("/repos/%s/commits/%s/status?per_page=100", repo, sha), nil, &combined))
	for _, s := range combined.Statuses {
		if s.Context == review.StatusContext {
			return s.State, s.Description
		}
	}
	return "", ""
}

func (g *gate) queued(want ...int) []string {
	g.Helper()
	numbers, heads, err := g.Queued(repo, "main")
	ok(g.TB, err)
	if !slices.Equal(numbers, want) {
		g.Fatalf("queued are %v, want %v", numbers, want)
	}
	return heads
}

func inOrder([]source.Queued) {}

func TestAMergeQueueMergesWhatIsApprovedAndItIsKnownWhoseItIs(t *testing.T) {
	g := newGate(t)
	before := source.ID(must(g.Head(repo, "main")))
	first, second := g.serve("churn-predictor", `version: "2"`, `version: "3"`), g.serve("email-classifier", `version: "5"`, `version: "77"`)
	if err := g.dev.Enqueue(t.Context(), repo, first); err == nil {
		t.Fatal("it was queued before it was judged")
	}
	g.look(inOrder)
	ok(t, g.dev.Enqueue(t.Context(), repo, first))
	ok(t, g.dev.Enqueue(t.Context(), repo, second))
	heads := g.queued(first, second)
	g.look(slices.Reverse[[]source.Queued])
	g.queued()
	if tip := must(g.Head(repo, "main")); tip != heads[1] {
		t.Errorf("the branch is at %s, want %s", tip, heads[1])
	}
	// What the queue put on the branch is approved as those two pull requests.
	refs := must(g.mirror.Fetch(t.Context()))
	b := release.Branch{Repo: g.mirror.Repository, Reviewer: g.reviewer, Name: "main"}
	merges, err := b.Merges(t.Context(), before, refs.Branch.New)
	ok(t, err)
	if len(merges) != 2 || merges[0].PullRequest != first || merges[1].PullRequest != second {
		t.Fatalf("merges %+v", merges)
	}
	for _, m := range merges {
		for path, f := range m.Files {
			if f.Approved == nil {
				t.Errorf("%s of #%d is not approved: %s", path, m.PullRequest, f.Refusal)
			}
		}
	}
}

func TestOfAGroupOnlyWhatIsStillApprovedIsMerged(t *testing.T) {
	for name, order := range map[string]func([]source.Queued){"judged in order": inOrder, "judged in reverse": slices.Reverse[[]source.Queued]} {
		t.Run("the second has lost its approval, "+name, func(t *testing.T) {
			g := newGate(t)
			first, second := g.serve("email-classifier", `version: "5"`, `version: "77"`), g.serve("churn-predictor", `version: "2"`, `version: "3"`)
			g.look(inOrder)
			ok(t, g.dev.Enqueue(t.Context(), repo, first))
			ok(t, g.dev.Enqueue(t.Context(), repo, second))
			heads := g.queued(first, second)
			ok(t, g.root.DismissLatest(t.Context(), repo, second, "octo-vp"))
			g.look(order)
			g.queued()
			if tip := must(g.Head(repo, "main")); tip != heads[0] {
				t.Errorf("the branch is at %s, want %s", tip, heads[0])
			}
			if state, why := g.status(heads[1]); state != "failure" {
				t.Errorf("the second is %s: %s", state, why)
			}
		})
		t.Run("the first has lost its approval, "+name, func(t *testing.T) {
			g := newGate(t)
			first, second := g.serve("churn-predictor", `version: "2"`, `version: "3"`), g.serve("email-classifier", `version: "5"`, `version: "77"`)
			g.look(inOrder)
			ok(t, g.dev.Enqueue(t.Context(), repo, first))
			ok(t, g.dev.Enqueue(t.Context(), repo, second))
			heads := g.queued(first, second)
			ok(t, g.root.DismissLatest(t.Context(), repo, first, "octo-vp"))
			g.look(order)
			if state, why := g.status(heads[1]); state != "pending" || !strings.Contains(why, fmt.Sprintf("stands on #%d", first)) {
				t.Errorf("the second, on the first, is %s: %s", state, why)
			}
			again := g.queued(second) // GitHub has dropped the first and made the second anew
			g.look(order)
			g.queued()
			if tip := must(g.Head(repo, "main")); tip != again[0] {
				t.Errorf("the branch is at %s, want %s", tip, again[0])
			}
		})
	}
}

func TestAQueuedCommitWithOtherContentIsNoPass(t *testing.T) {
	g := newGate(t)
	n := g.serve("churn-predictor", `version: "2"`, `version: "3"`)
	g.look(inOrder)
	refs := must(g.mirror.Fetch(t.Context()))
	tip := refs.Branch.New
	path := "models/data-science/churn-predictor/staging/deployment.yaml"
	forged := must(g.dev.Push(t.Context(), repo, githubtest.Push{
		Branch: fmt.Sprintf("gh-readonly-queue/main/pr-%d-%s", n, tip), From: "refs/heads/main",
		Files: map[string][]byte{path: []byte(strings.Replace(string(must(g.content(path))), `version: "2"`, `version: "666"`, 1))},
	}))
	g.look(inOrder)
	if state, why := g.status(forged); state != "failure" || !strings.Contains(why, "other content") {
		t.Errorf("it is %s: %s", state, why)
	}
	stray := must(g.dev.Push(t.Context(), repo, githubtest.Push{
		Branch: fmt.Sprintf("gh-readonly-queue/main/pr-%d-%s", n, forged), From: "refs/heads/churn-predictor", Files: map[string][]byte{"README.md": []byte("x")},
	}))
	ok(t, g.dev.DeleteBranch(t.Context(), repo, fmt.Sprintf("gh-readonly-queue/main/pr-%d-%s", n, tip)))
	g.look(inOrder)
	if state, why := g.status(stray); state != "pending" || !strings.Contains(why, "neither the branch's tip") {
		t.Errorf("what stands on nothing known is %s: %s", state, why)
	}
}

func TestAQueueThatCannotBeJudgedWaits(t *testing.T) {
	g := newGate(t)
	n := g.serve("churn-predictor", `version: "2"`, `version: "3"`)
	g.look(inOrder)
	ok(t, g.dev.Enqueue(t.Context(), repo, n))
	heads := g.queued(n)
	refs := must(g.mirror.Fetch(t.Context()))
	pr := must(g.reviewer.Forge.OpenPullRequests(t.Context(), "main"))[0]
	queue := review.Queue{Tip: refs.Branch.New, Entries: refs.Queue, Open: map[int]review.PullRequest{n: pr}}
	g.Inject(githubtest.Fault{Path: "/reviews", Status: 500})
	if _, err := g.reviewer.ReviewQueued(t.Context(), queue, refs.Queue[0]); !errors.Is(err, github.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if state, why := g.status(heads[0]); state != "pending" || !strings.Contains(why, "tried again") {
		t.Errorf("it is %s: %s", state, why)
	}
	queue.Open = nil
	if state, err := g.reviewer.ReviewQueued(t.Context(), queue, refs.Queue[0]); err != nil || state != review.StatePending {
		t.Errorf("what belongs to no open pull request is %s, %v", state, err)
	}
	g.queued(n)
}
