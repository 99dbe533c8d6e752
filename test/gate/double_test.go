package gate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/internal/github"
	"github.com/mlops-platform/mooring/reconciler/review"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

var doubled = flag.Int("doubled", 150, "how many random schedules are also played on the double of GitHub")

// double plays what happens in a world on the double of GitHub. Commits have
// other names there, since it makes those of a merge itself.
type double struct {
	testing.TB
	w      *world
	server *githubtest.Server
	people map[string]*githubtest.Person
	forge  *github.Forge
	// there writes the objects of the double's repository.
	there *world
	root  id
	clock time.Time

	// Of one schedule: its number, the double's commit for each of the world's,
	// the double's numbers of the pull requests, and of their reviews by place.
	play    int
	names   map[id]id
	numbers []int
	reviews [][]int64
}

func newDouble(t *testing.T, w *world) *double {
	t.Helper()
	d := &double{TB: t, w: w, people: map[string]*githubtest.Person{}, clock: longAgo}
	dir := t.TempDir()
	var err error
	d.server, err = githubtest.New(githubtest.Options{Dir: dir, Clock: func() time.Time { return d.clock }})
	d.must(err)
	t.Cleanup(func() { d.must(d.server.Close()) })
	for _, login := range []string{root, bot, pat, ada, mia, sen, sam} {
		d.people[login], err = d.server.CreateUser(login)
		d.must(err)
		d.server.SetRateLimit(d.people[login].Token, 1<<30, longAgo.Add(365*24*time.Hour))
	}
	d.must(d.server.CreateOrg("acme", root))
	d.must(d.server.AddMember("acme", bot, pat, ada, mia, sen, sam))
	tree := map[string][]byte{}
	for path, text := range files(content{"A", trustedRules}) {
		tree[path] = []byte(text)
	}
	d.must(d.server.CreateRepo(repoName, githubtest.Repo{Files: tree}))
	for _, login := range []string{bot, pat, ada, mia, sen, sam} {
		d.must(d.server.Grant(repoName, login, githubtest.Write))
	}
	tip, err := d.server.Head(repoName, "main")
	d.must(err)
	d.root = id(tip)
	g, err := git.PlainOpen(filepath.Join(dir, "acme", "models.git"))
	d.must(err)
	d.there = &world{git: g, roots: map[content]plumbing.Hash{}}
	client, err := github.New(github.Options{BaseURL: d.server.APIURL(), Token: d.people[bot].Token})
	d.must(err)
	d.forge = client.Forge("acme", "models")
	return d
}

func (d *double) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// begin puts the double where a state without pull requests is.
func (d *double) begin(s *state) {
	d.Helper()
	for _, n := range d.numbers {
		if err := d.people[root].Close(d.Context(), repoName, n); err != nil && !strings.Contains(err.Error(), "422") {
			d.Fatal(err)
		}
	}
	d.must(d.server.ForcePush(repoName, "main", d.root.String(), root))
	d.play++
	d.names, d.numbers, d.reviews = map[id]id{s.tip: d.root}, nil, nil
}

// name is the double's commit for one of the world's, made where there is none.
func (d *double) name(c id) id {
	if known, ok := d.names[c]; ok {
		return known
	}
	info := d.w.info(c)
	by := d.people[info.author]
	who := object.Signature{Name: by.Login, Email: by.Email, When: longAgo}
	o := &object.Commit{Author: who, Committer: who, Message: fmt.Sprint(c, " in play ", d.play), TreeHash: d.there.root(info.content)}
	for _, p := range info.parents {
		o.ParentHashes = append(o.ParentHashes, plumbing.NewHash(d.name(p).String()))
	}
	d.names[c] = id(d.there.write(o).String())
	return d.names[c]
}

// follow does on the double what an action did to a state.
func (d *double) follow(words string, before, after *state) {
	d.Helper()
	d.clock = d.clock.Add(time.Minute)
	p := after.current()
	switch way, merges := wayOf(words); {
	case merges:
		d.merge(p, way)
	case before.tip != after.tip:
		d.must(d.server.ForcePush(repoName, "main", d.name(after.tip).String(), ada))
	}
	for i, p := range after.pulls {
		d.followPull(i, p)
	}
	if len(before.pulls) == len(after.pulls) && p != nil && p.open != before.current().open && !p.merged {
		change := (*githubtest.Person).Close
		if p.open {
			change = (*githubtest.Person).Reopen
		}
		d.must(change(d.people[pat], d.Context(), repoName, d.numbers[p.number-1]))
	}
}

func wayOf(words string) (way string, merges bool) {
	_, rest, merges := strings.Cut(words, "merges by ")
	way, _, _ = strings.Cut(rest, ",")
	return way, merges
}

// followPull brings the head of a pull request and what people say of it.
func (d *double) followPull(i int, p *pull) {
	d.Helper()
	branch := fmt.Sprintf("topic-%d-%d", d.play, p.number)
	head, err := d.server.Head(repoName, branch)
	d.must(err)
	if want := d.name(p.head).String(); head != want {
		d.must(d.server.ForcePush(repoName, branch, want, ada))
	}
	if i == len(d.numbers) {
		n, err := d.people[p.author].OpenPullRequest(d.Context(), repoName, githubtest.Pull{Title: "Serve", Head: branch})
		d.must(err)
		d.numbers, d.reviews = append(d.numbers, n), append(d.reviews, nil)
	}
	had, err := d.forge.Reviews(d.Context(), d.numbers[i])
	d.must(err)
	for at, r := range p.reviews {
		switch {
		case at == len(had):
			event := map[string]string{"APPROVED": githubtest.Approve, "CHANGES_REQUESTED": githubtest.RequestChanges}[r.state]
			made, err := d.people[r.user].Review(d.Context(), repoName, d.numbers[i], event, "I have looked at it.")
			d.must(err)
			d.reviews[i] = append(d.reviews[i], made)
		case r.state == "DISMISSED" && had[at].State != r.state:
			d.must(d.people[root].Dismiss(d.Context(), repoName, d.numbers[i], d.reviews[i][at], "no"))
		}
	}
}

// merge lets GitHub merge, and takes its commits for the world's.
func (d *double) merge(p *pull, way string) {
	d.Helper()
	tip, err := d.people[root].Merge(d.Context(), repoName, d.numbers[p.number-1], way, "")
	d.must(err)
	for _, c := range slices.Backward(p.landed) {
		made, err := d.there.git.CommitObject(plumbing.NewHash(tip))
		d.must(err)
		if want := d.there.root(d.w.at(c)); made.TreeHash != want {
			d.Errorf("GitHub's merge by %s holds the tree %s, and the world's %s", way, made.TreeHash, want)
		}
		d.names[c], tip = id(tip), made.ParentHashes[0].String()
	}
	if from := d.name(p.from).String(); tip != from {
		d.Errorf("GitHub's merge by %s begins at %s, and the world's at %s", way, tip, from)
	}
}

// toldByForge is what the production code is told about pull requests.
type toldByForge struct {
	Open    []review.PullRequest
	Reviews map[int][]review.Review
	Makers  map[int][]string
	Merged  map[id]review.PullRequest
}

// ask asks a forge about the pull requests, by its own numbers, and the commits
// of the branch.
func ask(t testing.TB, forge review.Forge, numbers []int, commits []id) toldByForge {
	t.Helper()
	told := toldByForge{Reviews: map[int][]review.Review{}, Makers: map[int][]string{}, Merged: map[id]review.PullRequest{}}
	var err error
	if told.Open, err = forge.OpenPullRequests(t.Context(), "main"); err != nil {
		t.Fatal(err)
	}
	for i, n := range numbers {
		if told.Reviews[i], err = forge.Reviews(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		list, err := forge.Commits(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list.Commits {
			told.Makers[i] = append(told.Makers[i], c.ID.String()+" by "+c.Author)
		}
		slices.Sort(told.Makers[i])
	}
	for _, c := range commits {
		pr, err := forge.MergedPullRequest(t.Context(), "main", c)
		if err != nil {
			t.Fatal(err)
		}
		if pr != nil {
			told.Merged[c] = *pr
		}
	}
	return told
}

// translate turns what the world's forge told into the double's words.
func (d *double) translate(told toldByForge) toldByForge {
	d.Helper()
	pr := func(p review.PullRequest) review.PullRequest {
		p.Number, p.Head = d.numbers[p.Number-1], d.name(p.Head)
		return p
	}
	for i, p := range told.Open {
		told.Open[i] = pr(p)
	}
	for _, list := range told.Reviews {
		for i, r := range list {
			list[i].CommitID = d.name(id(r.CommitID)).String()
		}
	}
	for _, list := range told.Makers {
		for i, line := range list {
			c, by, _ := strings.Cut(line, " ")
			list[i] = d.name(id(c)).String() + " " + by
		}
		slices.Sort(list)
	}
	merged := map[id]review.PullRequest{}
	for c, p := range told.Merged {
		merged[d.name(c)] = pr(p)
	}
	told.Merged = merged
	return told
}

// comparable leaves what both forges know: no titles and no numbers of accounts,
// and of the times their order.
func (told toldByForge) comparable(numbers []int) toldByForge {
	mergedAt := map[int]time.Time{}
	for _, p := range told.Merged {
		mergedAt[p.Number] = p.MergedAt
	}
	pr := func(p review.PullRequest) review.PullRequest {
		short := review.PullRequest{Number: p.Number, Author: p.Author, Head: p.Head, Base: p.Base}
		if !p.MergedAt.IsZero() {
			short.MergedAt = longAgo
		}
		return short
	}
	for i, p := range told.Open {
		told.Open[i] = pr(p)
	}
	for c, p := range told.Merged {
		told.Merged[c] = pr(p)
	}
	for at, list := range told.Reviews {
		merged := mergedAt[numbers[at]]
		for i, r := range list {
			list[i] = review.Review{User: r.User, Type: r.Type, State: r.State, CommitID: r.CommitID}
			if i > 0 && list[i-1].SubmittedAt.After(r.SubmittedAt) {
				list[i].Body = "is out of order"
			}
			if !merged.IsZero() && r.SubmittedAt.After(merged) {
				list[i].Body += "after the merge"
			}
		}
	}
	return told
}

// TestForgeOfTheCheckerTellsWhatGitHubTells plays random schedules of the
// people's actions in the world and on the double of GitHub, and holds against
// each other what the production code is told.
func TestForgeOfTheCheckerTellsWhatGitHubTells(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed(t), 2))
	w, first := newWorld(t)
	d := newDouble(t, w)
	actions := people()
	for range *doubled {
		s := &state{tip: first}
		d.begin(s)
		var how schedule
		for len(how) < 1+rng.IntN(10) {
			i := rng.IntN(len(actions))
			next := s.clone()
			if !actions[i].do(w, next) {
				continue
			}
			how += schedule(rune(i))
			d.follow(actions[i].words, s, next)
			s = next
			if t.Failed() {
				t.Fatalf("after\n%s", how.words(actions))
			}
		}
		branch := w.between(first, s.tip)
		there := make([]id, len(branch))
		for i, c := range branch {
			there[i] = d.name(c)
		}
		own := make([]int, len(s.pulls))
		for i, p := range s.pulls {
			own[i] = p.number
		}
		want := ask(t, d.forge, d.numbers, there).comparable(d.numbers)
		got := d.translate(ask(t, &forge{w: w, s: s}, own, branch)).comparable(d.numbers)
		if s.forced {
			// GitHub lists the commits of a pull request over the base of its last
			// push, wherever the branch was forced to since; this forge over what the
			// branch holds.
			want.Makers, got.Makers = nil, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("GitHub tells (-), and the checker's forge (+):\n%s\nafter\n%s", diff, how.words(actions))
		}
	}
}
