package gate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
	githubtest "github.com/mlops-platform/mooring/test/github"
)

// act is one thing that somebody does, by a number below 94. GitHub refuses much of it, which is fine.
func (s *soak) act(n, pulls int) {
	s.Helper()
	open := s.open()
	switch {
	case len(open) == 0 || n < 30 && len(s.pulls) < pulls:
		s.propose()
	case n < 40:
		s.push(s.any(open))
	case n < 75:
		s.review(s.any(open))
	case n < 78:
		s.dismiss(s.any(open))
	case n < 88:
		s.merge(s.any(open))
	case n < 90:
		s.close(s.any(open))
	case n < 92:
		s.retarget(s.any(open))
	default:
		i := s.rng.IntN(models)
		_, err := s.people[ada].Push(s.Context(), repoName, githubtest.Push{Branch: "main", Message: "Skip the review", Files: s.edit(i)})
		s.refusable(err)
	}
}

// refusable passes over what GitHub refuses; Git's refusals come as text.
func (s *soak) refusable(err error) bool {
	s.Helper()
	if no := (*githubtest.Refused)(nil); err != nil && !errors.As(err, &no) && !strings.Contains(err.Error(), "rejected") {
		s.Fatal(err)
	}
	return err == nil
}

func (s *soak) open() []*soaked {
	var list []*soaked
	for _, n := range slices.Sorted(maps.Keys(s.pulls)) {
		if s.pulls[n].open {
			list = append(list, s.pulls[n])
		}
	}
	return list
}

func (s *soak) any(list []*soaked) *soaked { return list[s.rng.IntN(len(list))] }

func (s *soak) edit(i int) map[string][]byte {
	return map[string][]byte{modelPath(i): []byte(modelText(i, 2+s.rng.IntN(versions-2)))}
}

func (s *soak) propose() {
	s.topics++
	p := &soaked{branch: fmt.Sprintf("topic-%d", s.topics), open: true, reviews: map[int64]string{}}
	author := s.people[[]string{pat, ada}[s.rng.IntN(2)]]
	if _, err := author.Push(s.Context(), repoName, githubtest.Push{Branch: p.branch, From: "main", Files: s.edit(s.rng.IntN(models))}); err != nil {
		s.Fatal(err)
	}
	number, err := author.OpenPullRequest(s.Context(), repoName, githubtest.Pull{Title: p.branch, Head: p.branch})
	if !s.refusable(err) {
		return // it changes nothing
	}
	p.number = number
	s.pulls[number] = p
}

func (s *soak) push(p *soaked) {
	by := s.people[[]string{pat, ada, mia}[s.rng.IntN(3)]]
	_, err := by.Push(s.Context(), repoName, githubtest.Push{Branch: p.branch, Files: s.edit(s.rng.IntN(models))})
	s.refusable(err)
}

func (s *soak) review(p *soaked) {
	by, event := []string{mia, sen, mia, sen, ada, sam}[s.rng.IntN(6)], githubtest.Approve
	if s.rng.IntN(10) == 0 {
		event = githubtest.RequestChanges
	}
	reviewed, err := s.people[by].Review(s.Context(), repoName, p.number, event, "I have looked at it.")
	if s.refusable(err) {
		p.reviews[reviewed] = by
	}
}

func (s *soak) dismiss(p *soaked) {
	for _, reviewed := range slices.Sorted(maps.Keys(p.reviews)) {
		s.refusable(s.people[root].Dismiss(s.Context(), repoName, p.number, reviewed, "no"))
		delete(p.reviews, reviewed)
		return
	}
}

func (s *soak) merge(p *soaked) {
	tip, err := s.server.Head(repoName, "main")
	s.must(err)
	pr, err := s.server.Pull(repoName, p.number)
	s.must(err)
	granted := s.judge(p, id(tip), s.lenient(id(tip), id(pr.Head)))
	_, err = s.people[root].Merge(s.Context(), repoName, p.number, []string{"merge", "squash", "rebase"}[s.rng.IntN(3)], "")
	if s.refusable(err) {
		p.open, p.granted = false, map[string]string{}
		for _, c := range granted.Changes {
			if c.Verdict == policy.Pass && c.Approvals.Satisfied {
				p.granted[c.Path] = c.AfterBlob().String()
				s.ever[c.Path] = append(s.ever[c.Path], c.AfterBlob())
			}
		}
	}
}

func (s *soak) close(p *soaked) {
	s.must(s.people[root].Close(s.Context(), repoName, p.number))
	if s.rng.IntN(2) == 0 {
		s.must(s.people[root].Reopen(s.Context(), repoName, p.number))
	} else {
		p.open = false
	}
}

// retarget points a pull request elsewhere and back.
func (s *soak) retarget(p *soaked) {
	_, err := s.people[ada].Push(s.Context(), repoName, githubtest.Push{Branch: "other", From: "main", Files: map[string][]byte{"README.md": []byte("x")}, Force: true})
	s.refusable(err)
	if s.refusable(s.people[root].Retarget(s.Context(), repoName, p.number, "other")) {
		s.must(s.people[root].Retarget(s.Context(), repoName, p.number, "main"))
	}
}

// judge is the oracle: the gate's own judgement, with people as they stand in
// GitHub's state at this moment, and with nothing between.
func (s *soak) judge(p *soaked, tip id, standing map[string]id) *review.Report {
	s.Helper()
	pr, err := s.server.Pull(repoName, p.number)
	s.must(err)
	// What is the same was judged the same.
	same := fmt.Sprint(tip, pr.Head, pr.Reviews, standing)
	if p.judged == same {
		return p.report
	}
	people := review.People{Author: review.Account{Login: pr.Author}, Teams: map[string][]review.Account{"acme/managers": {{Login: mia}, {Login: ada}}}}
	for _, r := range pr.Reviews {
		people.Reviews = append(people.Reviews, review.Review{User: r.User, Type: r.Type, State: r.State, CommitID: r.CommitID, SubmittedAt: r.SubmittedAt})
	}
	own, err := s.git.Commits(s.Context(), tip, id(pr.Head))
	s.must(err)
	for _, c := range own.Commits {
		people.Committers = append(people.Committers, review.Account{Login: c.Author.Name})
	}
	approved := map[string]id{}
	for path, blob := range s.content(tip) {
		if schemas.IsPlatform(path) {
			approved[path] = blob // nobody touches them in this test
		}
	}
	report, err := review.Evaluate(s.Context(), s.git, review.Request{
		Base: tip, Head: id(pr.Head), People: people, Now: time.Now().Add(time.Minute), Repository: s.key.Name, Approved: approved,
		Standing: standing, Cache: s.cache,
	})
	s.must(err)
	p.judged, p.report = same, report
	return report
}

// standing is what receipts say is approved, where a tip holds something else. That
// it was granted is checked at the end.
func (s *soak) standing(tip id) map[string]id {
	s.Helper()
	ledger := release.NewLedger()
	for _, r := range s.receipts() {
		if a := r.Status.Approved; a != nil {
			ledger.Approved[a.Path] = *a
		}
	}
	return ledger.Standing(s.content(tip))
}

// lenient is the standing by which nothing is refused that a controller may let
// pass: how far it has come with earlier merges does not matter to it.
func (s *soak) lenient(tip, head id) map[string]id {
	s.Helper()
	standing, proposed := map[string]id{}, s.content(head)
	for path, blob := range s.content(tip) {
		if ever := s.ever[path]; !schemas.IsPlatform(path) && !slices.Contains(ever, blob) {
			standing[path] = ""
			if slices.Contains(ever, proposed[path]) {
				standing[path] = proposed[path]
			}
		}
	}
	return standing
}

func (s *soak) content(commit id) map[string]id {
	s.Helper()
	tree, err := s.git.Tree(s.Context(), commit)
	s.must(err)
	return release.Content(tree)
}

// settled says what is not yet as it should be; empty where all is.
func (s *soak) settled() string {
	head, err := s.server.Head(repoName, "main")
	s.must(err)
	standing := s.standing(id(head))
	for _, p := range s.open() {
		report := s.judge(p, id(head), standing)
		told := s.statuses(report.Head.String())
		for _, want := range review.Statuses(report, "") {
			if got := told[want.Context]; got != string(want.State) {
				return fmt.Sprintf("#%d is told %s %q instead of %s (%s)", p.number, want.Context, got, want.State, want.Description)
			}
		}
	}
	var repo schemas.ModelRepository
	s.must(s.cluster.Get(s.Context(), s.key, &repo))
	if repo.Status.Revision != head {
		return fmt.Sprintf("the branch is judged up to %.8s, not %.8s", repo.Status.Revision, head)
	}
	receipts := s.receipts()
	for _, r := range receipts {
		commit := ""
		switch a, q := r.Status.Approved, r.Status.Quarantined; {
		case q != nil:
			commit = q.Commit
		case a != nil && a.PullRequest != 0:
			commit = a.Commit
		default:
			continue
		}
		want := controller.DeployOutcome(commit, "", repo.Status.Quarantined, receipts)
		if got := s.statuses(commit)[controller.DeployContext]; got != string(want.State) {
			return fmt.Sprintf("%.8s of %s is told %q instead of %s (%s)", commit, r.Name, got, want.State, want.Description)
		}
	}
	return ""
}

func (s *soak) receipts() []schemas.ModelRelease {
	var list schemas.ModelReleaseList
	s.must(s.cluster.List(s.Context(), &list, client.InNamespace(s.key.Namespace)))
	return list.Items
}

func (s *soak) statuses(commit string) map[string]string {
	list, err := s.server.Statuses(repoName, commit)
	s.must(err)
	latest := map[string]string{}
	for _, one := range list {
		latest[one.Context] = one.State
	}
	return latest
}

// nothingUnapproved: what receipts hold and whatever the audit log ever said was
// approved was granted to that pull request when it was merged.
func (s *soak) nothingUnapproved() (approvals int) {
	check := func(path, blob string, number int) {
		if p := s.pulls[number]; p == nil || p.granted == nil || p.granted[path] != blob {
			s.Errorf("%s may be applied with %.8s by #%d, which was not approved for it", path, blob, number)
		}
	}
	for _, r := range s.receipts() {
		if a := r.Status.Approved; a != nil && a.PullRequest != 0 {
			check(a.Path, a.Blob, a.PullRequest)
		}
	}
	trail, err := audit.Snapshot(s.file)
	s.must(err)
	defer func() { s.must(trail.Close()) }()
	keys := map[string]bool{}
	for r, err := range audit.Read(trail) {
		s.must(err)
		if keys[r.Key] {
			s.Errorf("%s is on record twice", r.Key)
		}
		keys[r.Key] = true
		if string(r.Action) == string(release.ActionApprove) {
			approvals++
		}
	}
	return approvals
}

// nothingTwice: one comment a pull request, and no status twice for the same.
func (s *soak) nothingTwice() {
	twice := 0
	for number := range s.pulls {
		pr, err := s.server.Pull(repoName, number)
		s.must(err)
		if len(pr.Comments) > 1 {
			s.Errorf("#%d has %d comments", number, len(pr.Comments))
		}
		list, err := s.server.Statuses(repoName, pr.Head)
		s.must(err)
		last := map[string]string{}
		for _, one := range list {
			said := one.State + one.Description
			if last[one.Context] == said {
				twice++
			}
			last[one.Context] = said
		}
	}
	if in := s.server.Injected(); twice > in.LostAnswers {
		s.Errorf("%d statuses were written twice, and only %d answers were lost", twice, in.LostAnswers)
	}
}

// within waits until all is settled, and says what is not.
func (s *soak) within(limit time.Duration) string { return s.until(limit, s.settled) }

// until waits until a question is answered with nothing, and gives the last answer.
func (s *soak) until(limit time.Duration, question func() string) string {
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		why := question()
		if why == "" {
			return ""
		}
		select {
		case <-tick.C:
		case <-deadline:
			return why
		}
	}
}
