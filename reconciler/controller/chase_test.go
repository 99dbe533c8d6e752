package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"k8s.io/client-go/tools/record"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

const churn = "models/data-science/churn-predictor/production/deployment.yaml"

// asked is a Monday. The board has until Saturday, 14:00, and meets on Thursday.
var asked = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

var boards = map[string]schemas.Board{"cab": {Meets: schemas.Meeting{Weekday: "Thursday", From: "14:00", To: "16:00", TimeZone: "America/New_York"}}}

// waiting is a pull request that waits for the board, in a place with a chase.
type waiting struct {
	*place
	repo       *source.Repository
	base, head source.ID
	pr         review.PullRequest
	now        time.Time
}

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	w := &waiting{place: newPlace(t, schemas.ModelRepositorySpec{}), now: asked}
	w.base = source.ID(w.git("rev-parse", "HEAD"))
	w.write(churn, `version: "2"`, `version: "3"`)
	w.head = source.ID(w.commit("Serve version 3"))
	var err error
	if w.repo, err = source.Open(w.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.repo.Close() }) // opened for reading
	w.pr = review.PullRequest{Number: 7, Title: "Serve @everyone\n</h1> **3**", URL: "https://github.com/acme/models/pull/7", Author: "ada", Head: w.head}
	w.again()
	return w
}

// again is another process.
func (w *waiting) again() {
	w.restart()
	w.loop.Chase.Now = func() time.Time { return w.now }
	w.loop.Chase.Notify = eventNotifier{w.loop.Events}
}

func (w *waiting) report(requested time.Time) *review.Report {
	w.Helper()
	people := review.People{Author: review.Account{Login: "ada"}, Requested: requested, Teams: map[string][]review.Account{}}
	for _, team := range []string{"ds-leads", "ml-managers", "senior-ds", "ml-architects", "product", "legal", "security", "platform"} {
		people.Teams["acme/"+team] = nil
	}
	report, err := review.Evaluate(w.Context(), w.repo, review.Request{Base: w.base, Head: w.head, People: people, Now: w.now})
	if err != nil {
		w.Fatal(err)
	}
	return report
}

// judge tells the chase of the pull request so long after it was asked for.
func (w *waiting) judge(after time.Duration) error {
	w.now = asked.Add(after)
	return w.loop.Chase.Judged(w.Context(), repositoryKey, w.pr, w.report(asked))
}

func (w *waiting) events() []string {
	var out []string
	for {
		select {
		case e := <-w.loop.Events.(*record.FakeRecorder).Events:
			out = append(out, e)
		default:
			return out
		}
	}
}

func TestEveryDeadlineIsToldOnce(t *testing.T) {
	w := newWaiting(t)
	for _, step := range []struct {
		after  time.Duration
		action release.Action
		event  string
	}{
		{0, "", ""},
		{90*time.Hour - 1, "", ""},
		{90 * time.Hour, release.ActionRemind, "Normal ApprovalReminder #7, data-science/churn-predictor in production: the approval by vp-engineering and 3 of"},
		{100 * time.Hour, "", ""},
		{120 * time.Hour, release.ActionOverdue, "Warning ApprovalOverdue #7, data-science/churn-predictor in production"},
		{500 * time.Hour, "", ""},
	} {
		w.actions = nil
		for range 2 { // looked at twice, and again by another process
			if err := w.judge(step.after); err != nil {
				t.Fatal(err)
			}
			events := w.events()
			switch {
			case step.event == "" && len(events) > 0:
				t.Errorf("after %v: %v", step.after, events)
			case step.event != "" && (len(events) != 1 || !strings.HasPrefix(events[0], step.event)):
				t.Errorf("after %v: %v", step.after, events)
			}
			step.event = ""
			w.again()
		}
		if want := slices.DeleteFunc([]release.Action{step.action}, func(a release.Action) bool { return a == "" }); !slices.Equal(w.actions, want) {
			t.Errorf("after %v: recorded %v, want %v", step.after, w.actions, want)
		}
	}
}

func TestAnUnrecordedDeadlineIsNotTold(t *testing.T) {
	w := newWaiting(t)
	w.fails = errors.New("the disk is full")
	if err := w.judge(200 * time.Hour); !errors.Is(err, w.fails) || len(w.events()) != 0 {
		t.Errorf("it is told without a record: %v", err)
	}
	w.fails = nil
	if err := w.judge(201 * time.Hour); err != nil || len(w.events()) != 1 {
		t.Errorf("it is not told when the record is possible: %v", err)
	}
}

func TestARecordNamesTheSameEventWhateverElseIsEdited(t *testing.T) {
	w := newWaiting(t)
	if err := w.judge(130 * time.Hour); err != nil {
		t.Fatal(err)
	}
	w.actions, w.pr.Title, w.pr.URL = nil, "another", "elsewhere"
	if err := w.judge(140 * time.Hour); err != nil || len(w.actions) != 0 {
		t.Errorf("another title records %v: %v", w.actions, err)
	}
	w.now = asked.Add(300 * time.Hour) // asked for again, a day later: another due time
	if err := w.loop.Chase.Judged(t.Context(), repositoryKey, w.pr, w.report(asked.Add(24*time.Hour))); err != nil || len(w.actions) != 1 {
		t.Errorf("another due time records %v: %v", w.actions, err)
	}
	w.actions, w.pr.Number = nil, 8
	if err := w.judge(130 * time.Hour); err != nil || len(w.actions) != 1 {
		t.Errorf("another pull request records %v: %v", w.actions, err)
	}
}

// agenda is what stands in the cluster after the chase has written.
func (w *waiting) agenda() []schemas.BoardStatus {
	w.Helper()
	if err := w.loop.Chase.write(w.Context(), repositoryKey); err != nil {
		w.Fatal(err)
	}
	return w.object().Status.Boards
}

func TestTheBoardsAgendaIsKept(t *testing.T) {
	w := newWaiting(t)
	c := func() *Chase { return w.loop.Chase }
	if got := w.agenda(); got != nil {
		t.Errorf("before anything is known: %+v", got)
	}
	c().Govern(repositoryKey, boards)
	c().Open(repositoryKey, []review.PullRequest{w.pr})
	if got := w.agenda(); len(got) != 1 || got[0].Count != 0 || got[0].Next.TimeZone != "America/New_York" {
		t.Errorf("nothing waits: %+v", got)
	}
	if err := w.judge(time.Hour); err != nil {
		t.Fatal(err)
	}
	got := w.agenda()
	if len(got) != 1 || got[0].Count != 1 || len(got[0].Items) != 1 {
		t.Fatalf("%+v", got)
	}
	item := got[0].Items[0]
	if item.PullRequest != 7 || item.Summary != "version 2 → version 3" || item.Level != schemas.RiskHigh || item.Due == nil ||
		!item.Due.Time.Equal(asked.Add(120*time.Hour)) || !item.Since.Time.Equal(asked) || item.Missing[0] != "vp-engineering" || item.Author != "ada" {
		t.Errorf("%+v", item)
	}
	if next := got[0].Next.From.UTC().Format(time.RFC3339); next != "2026-11-26T19:00:00Z" {
		t.Errorf("the next meeting is %s", next)
	}

	version := w.object().ResourceVersion
	if w.agenda(); w.object().ResourceVersion != version {
		t.Error("the same agenda is written again")
	}
	w.again() // and nothing is judged yet
	c().Govern(repositoryKey, boards)
	c().Open(repositoryKey, []review.PullRequest{w.pr})
	if w.agenda(); w.object().ResourceVersion != version {
		t.Error("a process that starts empties the agenda")
	}
	w.now = asked.Add(80 * time.Hour)
	if got := w.agenda(); got[0].Next.From.UTC().Format(time.RFC3339) != "2026-12-03T19:00:00Z" {
		t.Errorf("after the meeting: %+v", got[0].Next)
	}
	c().Open(repositoryKey, nil)
	if got := w.agenda(); got[0].Count != 0 || len(got[0].Items) != 0 {
		t.Errorf("a closed pull request stays: %+v", got)
	}
}

func TestADraftIsOnNoAgenda(t *testing.T) {
	w := newWaiting(t)
	w.loop.Chase.Govern(repositoryKey, boards)
	w.loop.Chase.Open(repositoryKey, []review.PullRequest{w.pr})
	w.now = asked.Add(1000 * time.Hour)
	if err := w.loop.Chase.Judged(t.Context(), repositoryKey, w.pr, w.report(time.Time{})); err != nil {
		t.Fatal(err)
	}
	if got := w.agenda(); got[0].Count != 0 || len(w.actions) != 0 {
		t.Errorf("%+v, recorded %v", got, w.actions)
	}
}

// staff is a forge that lists teams.
type staff struct {
	review.Forge
	members map[string][]string
	errs    map[string]error
	asked   int
}

func (s *staff) OpenPullRequests(context.Context, string) ([]review.PullRequest, error) {
	return nil, nil
}

func (s *staff) MergedPullRequest(context.Context, string, source.ID) (*review.PullRequest, error) {
	return nil, nil
}

func (s *staff) TeamMembers(_ context.Context, team string) ([]review.Account, error) {
	s.asked++
	var out []review.Account
	for _, login := range s.members[team] {
		out = append(out, review.Account{Login: login})
	}
	return out, s.errs[team]
}

func fullStaff() *staff {
	return &staff{errs: map[string]error{}, members: map[string][]string{
		"acme/ds-leads": {"lee"}, "acme/clinical-leads": {"cleo"}, "acme/ml-managers": {"mia"}, "acme/senior-ds": {"sam"}, "acme/ml-architects": {"ari"},
		"acme/product": {"pat"}, "acme/legal": {"lou"}, "acme/security": {"sec"}, "acme/platform": {"plo"},
	}}
}

func TestWhoDecidesIsLookedAtBeforeItMatters(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(*staff)
		resolved string // the condition's reason
		fillable string
		says     []string
		warnings int
	}{
		"all is well": {func(*staff) {}, "Resolved", "Fillable", nil, 0},
		"a team is missing": {func(s *staff) { s.errs["acme/legal"] = fmt.Errorf("404: %w", review.ErrTeamUnknown) }, "TeamUnknown", "",
			[]string{"acme/legal (legal in governance.yaml)", "check the slug", "Members: read"}, 1},
		"a team may not be listed": {func(s *staff) { s.errs["acme/senior-ds"] = fmt.Errorf("403: %w", review.ErrTeamDenied) }, "AccessDenied", "",
			[]string{"acme/senior-ds (senior-data-scientist in governance.yaml)", "Members: read"}, 1},
		"the App may list no team": {func(s *staff) {
			for team := range s.members {
				s.errs[team] = fmt.Errorf("403: %w", review.ErrTeamDenied)
			}
		}, "AccessDenied", "", []string{"the members of 8 teams may not be listed: give the App the permission \"Members: read\"; they are acme/ds-leads (", ", acme/legal (legal in governance.yaml), "}, 1},
		"the forge does not answer": {func(s *staff) { s.errs["acme/legal"] = errors.New("502") }, "", "", nil, 0},
		"nobody holds a role": {func(s *staff) { s.members["acme/platform"] = nil }, "Resolved", "RoleEmpty",
			[]string{"nobody holds the role platform-admin in governance.yaml"}, 1},
		"one person holds too many seats": {func(s *staff) {
			for _, team := range []string{"acme/product", "acme/legal", "acme/security"} {
				s.members[team] = []string{"Ari"}
			}
		}, "Resolved", "QuorumImpossible", []string{"the board cab", "product-manager, legal, security"}, 1},
		"one person is both seats of level medium": {func(s *staff) { s.members["acme/ml-managers"] = []string{"sam"} }, "Resolved", "QuorumImpossible",
			[]string{"level medium", "nobody would be left for"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
			s := fullStaff()
			test.change(s)
			start := func() {
				p.restart()
				p.loop.Dial = func(*schemas.ModelRepository, map[string][]byte, func(Hint)) (Remote, error) {
					return Remote{Forge: s}, nil
				}
			}
			start()
			tip := p.git("rev-parse", "HEAD")
			p.change(func(r *schemas.ModelRepository) { r.Spec.TrustFrom = tip })
			p.mustLook()
			p.ready("Judged")
			repo := p.object()
			if got := conditions.GetReason(repo, schemas.ConditionTeamsResolved); got != test.resolved {
				t.Errorf("teams: %q %s", got, conditions.GetMessage(repo, schemas.ConditionTeamsResolved))
			}
			if got := conditions.GetReason(repo, schemas.ConditionSeatsFillable); got != test.fillable {
				t.Errorf("seats: %q %s", got, conditions.GetMessage(repo, schemas.ConditionSeatsFillable))
			}
			for _, text := range test.says {
				both := conditions.GetMessage(repo, schemas.ConditionTeamsResolved) + conditions.GetMessage(repo, schemas.ConditionSeatsFillable)
				if !strings.Contains(both, text) {
					t.Errorf("it does not say %q: %s", text, both)
				}
			}
			count := func() (n int) {
				w := waiting{place: p}
				for _, e := range w.events() {
					if strings.HasPrefix(e, "Warning WhoDecides") {
						n++
					}
				}
				return n
			}
			if n := count(); n != test.warnings {
				t.Errorf("%d warnings", n)
			}
			asked := s.asked
			if p.mustLook(); s.asked != asked {
				t.Error("the teams are asked for again at once")
			}
			start()
			if p.mustLook(); count() != 0 {
				t.Error("another process warns again")
			}
		})
	}
}
