package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy/meeting"
	"github.com/mlops-platform/mooring/policy/sla"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// Notice is that approvals of a change are due soon, or overdue.
type Notice struct {
	PullRequest int
	URL         string
	// Change names it; Awaited says which roles have to approve.
	Change, Awaited string
	Due             time.Time
	Overdue         bool
}

// Notifier passes a notice on to people. Each is passed on once; one that is
// lost on the way still stands in the audit log, the metrics and the comment.
type Notifier interface {
	Notify(ctx context.Context, repo *schemas.ModelRepository, n Notice) error
}

// Chase reminds of approvals and keeps the agendas of boards, by what the
// reviews found. Time is brought to it by the reviews, which judge a pull request
// again when one of its deadlines passes, so that nobody is reminded of what was
// approved a moment ago. A nil Chase reminds nobody.
type Chase struct {
	Client  client.Client
	Reader  client.Reader
	Audit   release.Auditor
	Witness release.Witness
	Notify  Notifier
	Metrics *release.Metrics
	Now     func() time.Time
	Log     *slog.Logger

	queue workqueue.TypedRateLimitingInterface[client.ObjectKey]
	mu    sync.Mutex
	repos map[client.ObjectKey]*chased
}

// chased is what is known of a repository.
type chased struct {
	boards map[string]schemas.Board
	// open pull requests; nil before they were listed. Those in judged were
	// judged by this process.
	open   map[int]bool
	judged map[int]judgedPull
}

type judgedPull struct {
	agenda  map[string][]schemas.AgendaItem
	overdue map[schemas.RiskLevel]int
}

// start makes the queue.
func (c *Chase) start() *Chase {
	c.repos = map[client.ObjectKey]*chased{}
	c.queue = workqueue.NewTypedRateLimitingQueueWithConfig(
		workqueue.NewTypedItemExponentialFailureRateLimiter[client.ObjectKey](time.Second, 5*time.Minute),
		workqueue.TypedRateLimitingQueueConfig[client.ObjectKey]{Name: "agendas"})
	return c
}

// update changes what is known of a repository and asks for its agendas.
func (c *Chase) update(name client.ObjectKey, change func(*chased)) {
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.repos[name] == nil {
		c.repos[name] = &chased{judged: map[int]judgedPull{}}
	}
	known := c.repos[name]
	change(known)
	overdue := map[schemas.RiskLevel]int{}
	for _, pull := range known.judged {
		for level, n := range pull.overdue {
			overdue[level] += n
		}
	}
	c.mu.Unlock()
	c.Metrics.Overdue(name.String(), overdue)
	c.queue.AddAfter(name, agendaDelay)
}

// agendaDelay lets what is judged together be written together.
const agendaDelay = 300 * time.Millisecond

// Govern tells which boards there are.
func (c *Chase) Govern(name client.ObjectKey, boards map[string]schemas.Board) {
	c.update(name, func(known *chased) { known.boards = boards })
}

// Open tells which pull requests are open; the others wait for nothing any more.
func (c *Chase) Open(name client.ObjectKey, pulls []review.PullRequest) {
	c.update(name, func(known *chased) {
		known.open = map[int]bool{}
		for _, pr := range pulls {
			known.open[pr.Number] = true
		}
		maps.DeleteFunc(known.judged, func(number int, _ judgedPull) bool { return !known.open[number] })
	})
}

// Remove forgets a repository.
func (c *Chase) Remove(name client.ObjectKey) {
	if c == nil {
		return
	}
	c.mu.Lock()
	delete(c.repos, name)
	c.mu.Unlock()
	c.Metrics.Overdue(name.String(), nil)
}

// Judged takes what a pull request waits for, and tells of deadlines that have
// passed. After an error the same has to be told again.
func (c *Chase) Judged(ctx context.Context, name client.ObjectKey, pr review.PullRequest, report *review.Report) error {
	if c == nil {
		return nil
	}
	pull := judgedPull{agenda: report.Agenda(pr), overdue: map[schemas.RiskLevel]int{}}
	var errs []error
	for _, w := range report.Waiting() {
		if w.Stage == sla.Running {
			continue
		}
		if w.Stage == sla.Overdue {
			pull.overdue[w.Change.Risk.Level]++
		}
		if err := c.tell(ctx, name, pr, w); err != nil {
			errs = append(errs, fmt.Errorf("tell of the deadline of %s: %w", w.Title, err))
		}
	}
	c.update(name, func(known *chased) {
		if known.open[pr.Number] { // it may have been closed since the judgement began
			known.judged[pr.Number] = pull
		}
	})
	return errors.Join(errs...)
}

// tell records that a deadline has passed, and passes it on the first time. The
// record comes first: killed after it, a process loses the notice rather than
// repeating it.
func (c *Chase) tell(ctx context.Context, name client.ObjectKey, pr review.PullRequest, w review.Waiting) error {
	e := deadlineEvent(name, pr, w)
	told, err := release.Recorded(ctx, c.Witness, e)
	if told || err != nil {
		return err
	}
	var repo schemas.ModelRepository
	if err := c.Reader.Get(ctx, name, &repo); err != nil {
		return client.IgnoreNotFound(err)
	}
	err = release.Record(ctx, c.Audit, e)
	c.Metrics.Unrecorded(e.Action, err)
	if err != nil {
		return err
	}
	c.Metrics.Noticed(e.Action)
	err = c.Notify.Notify(ctx, &repo, Notice{
		PullRequest: pr.Number, URL: pr.URL, Change: w.Title, Awaited: w.Awaited,
		Due: w.Change.Approvals.Due, Overdue: w.Stage == sla.Overdue,
	})
	if err != nil {
		c.Log.Error("a reminder is on record, and could not be passed on", "repository", name, "pullRequest", pr.Number, "error", err)
	}
	return nil
}

// deadlineEvent is the same for a pull request, a change's digest and a due time,
// whatever else is edited meanwhile: so it is on record once.
func deadlineEvent(name client.ObjectKey, pr review.PullRequest, w review.Waiting) release.Event {
	c, due := w.Change, w.Change.Approvals.Due.UTC().Format(time.RFC3339)
	e := release.Event{
		Occasion: fmt.Sprintf("#%d/%s", pr.Number, due),
		Phase:    release.Decided, Action: release.ActionRemind, Repository: name.Name,
		Team: c.Team, Model: c.Model, Environment: c.Environment, Path: c.Path, Digest: c.Digest,
		Reason:   fmt.Sprintf("%d%% of the time to approve pull request #%d are over; approvals are due %s", sla.ReminderPercent, pr.Number, due),
		Evidence: map[string]any{"pullRequest": pr.Number, "due": due, "level": c.Risk.Level},
	}
	if w.Stage == sla.Overdue {
		e.Action = release.ActionOverdue
		e.Reason = fmt.Sprintf("the approvals of pull request #%d were due %s", pr.Number, due)
	}
	return e
}

// Start writes agendas until the context ends.
func (c *Chase) Start(ctx context.Context) error {
	var worker sync.WaitGroup
	worker.Go(func() {
		for c.next(ctx) {
		}
	})
	<-ctx.Done()
	c.queue.ShutDown()
	worker.Wait()
	return nil
}

func (c *Chase) next(ctx context.Context) bool {
	name, stop := c.queue.Get()
	if stop {
		return false
	}
	defer c.queue.Done(name)
	if err := c.write(ctx, name); err != nil && ctx.Err() == nil {
		c.Log.Error("the agendas could not be written; it is tried again", "repository", name, "error", err)
		c.queue.AddRateLimited(name)
		return true
	}
	c.queue.Forget(name)
	return true
}

// agendaTimeout bounds the writing of one repository's agendas.
const agendaTimeout = time.Minute

// write puts the boards' agendas into the repository's status where they differ,
// and comes back when a meeting is over.
func (c *Chase) write(ctx context.Context, name client.ObjectKey) error {
	ctx, cancel := context.WithTimeout(ctx, agendaTimeout)
	defer cancel()
	var repo schemas.ModelRepository
	if err := c.Reader.Get(ctx, name, &repo); err != nil {
		return client.IgnoreNotFound(err)
	}
	boards, ok, err := c.agendas(name, repo.Status.Boards)
	if err != nil || !ok {
		return err
	}
	for _, b := range boards {
		c.queue.AddAfter(name, b.Next.To.Sub(c.Now()))
	}
	if equality.Semantic.DeepEqual(repo.Status.Boards, boards) {
		return nil
	}
	before := repo.DeepCopy()
	repo.Status.Boards = boards
	if err := c.Client.Status().Patch(ctx, &repo, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write the agendas of %s: %w", name, err)
	}
	return nil
}

// agendas are those of all boards, in the order of their names; false while it is
// not known what is open. Of a pull request that this process has not judged yet
// what was written before still holds.
func (c *Chase) agendas(name client.ObjectKey, before []schemas.BoardStatus) ([]schemas.BoardStatus, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.repos[name]
	if known == nil || known.open == nil || known.boards == nil {
		return nil, false, nil
	}
	items := map[string][]schemas.AgendaItem{}
	for _, b := range before {
		for _, item := range b.Items {
			if _, judged := known.judged[item.PullRequest]; known.open[item.PullRequest] && !judged {
				items[b.Name] = append(items[b.Name], item)
			}
		}
	}
	for _, pull := range known.judged {
		for board, list := range pull.agenda {
			items[board] = append(items[board], list...)
		}
	}
	var out []schemas.BoardStatus
	for _, board := range slices.Sorted(maps.Keys(known.boards)) {
		b, err := meeting.Agenda(board, known.boards[board].Meets, c.Now(), items[board])
		if err != nil {
			return nil, false, err
		}
		out = append(out, b)
	}
	return out, true, nil
}

// eventNotifier makes a notice an event of the ModelRepository.
type eventNotifier struct{ Events record.EventRecorder }

func (n eventNotifier) Notify(_ context.Context, repo *schemas.ModelRepository, notice Notice) error {
	due := notice.Due.UTC().Format(time.RFC3339)
	what := strings.ToValidUTF8(fmt.Sprintf("#%d, %s", notice.PullRequest, notice.Change), "?")
	if notice.Overdue {
		n.Events.Eventf(repo, corev1.EventTypeWarning, "ApprovalOverdue", "%s: the approval by %s was due %s", what, notice.Awaited, due)
	} else {
		n.Events.Eventf(repo, corev1.EventTypeNormal, "ApprovalReminder", "%s: the approval by %s is due %s", what, notice.Awaited, due)
	}
	return nil
}
