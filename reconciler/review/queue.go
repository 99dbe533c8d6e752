package review

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Queue is a merge queue as it stands.
type Queue struct {
	// Tip of the branch that it leads to.
	Tip source.ID
	// Entries in any order: each stands on the tip, or on the head of another.
	Entries []source.Queued
	// Open are the open pull requests by number.
	Open map[int]PullRequest
}

// maxQueue bounds how many entries one may stand on; GitHub merges a hundred at once.
const maxQueue = 100

// behind lists the entries that a head stands on, the one next to the branch
// first. The forge may merge a whole group when the last of it is green, so a
// head is only as good as everything below it.
func (q Queue) behind(entry source.Queued) ([]source.Queued, error) {
	list := []source.Queued{entry}
	for at := entry; at.Base != q.Tip; {
		i := slices.IndexFunc(q.Entries, func(e source.Queued) bool { return e.Head == at.Base })
		if i < 0 || len(list) > maxQueue {
			return nil, fmt.Errorf("#%d in the merge queue stands on %s, which is neither the branch's tip nor in the queue", at.Number, at.Base.Short())
		}
		at = q.Entries[i]
		list = append(list, at)
	}
	slices.Reverse(list)
	return list, nil
}

// queueVerdict is what one entry of a queue amounts to by itself.
type queueVerdict struct {
	report *Report
	state  State
	reason string
}

// ReviewQueued judges what a merge queue would merge, and sets the statuses on
// the head of the entry: that is the commit that becomes the branch's. Each pull
// request below it is judged as itself, on what it will be merged onto, and the
// head must hold exactly the content that it was judged for.
func (r *Reviewer) ReviewQueued(ctx context.Context, q Queue, entry source.Queued) (State, error) {
	list, err := q.behind(entry)
	if err != nil { // the forge is about to make it anew
		return StatePending, r.queueStatus(ctx, q, entry, queueVerdict{state: StatePending, reason: err.Error()})
	}
	var own, worst queueVerdict
	for _, e := range list {
		if own, err = r.judgeQueued(ctx, q, e); err != nil {
			failed := queueVerdict{state: StatePending, reason: notJudged(err)}
			return StatePending, errors.Join(fmt.Errorf("judge #%d in the merge queue: %w", e.Number, err), r.queueStatus(ctx, q, entry, failed))
		}
		if e != entry && own.state != StateSuccess {
			own.state = StatePending // once the forge has dropped that one, this one is made anew
			own.reason = fmt.Sprintf("stands on #%d: %s", e.Number, own.reason)
		}
		if worst.state == "" || worse(own.state, worst.state) {
			worst = own
		}
	}
	worst.report = own.report
	return worst.state, r.queueStatus(ctx, q, entry, worst)
}

func worse(a, b State) bool {
	order := []State{StateSuccess, StatePending, StateFailure}
	return slices.Index(order, a) > slices.Index(order, b)
}

// queueState is a verdict as the status of what waits in a queue. Nobody approves
// there, and all that is behind waits: what lacks an approval fails, so that the
// forge drops it. What cannot be judged yet waits.
func queueState(v policy.Verdict) State {
	switch v {
	case policy.Pass:
		return StateSuccess
	case policy.Error:
		return StatePending
	default:
		return StateFailure
	}
}

// judgeQueued judges one pull request on what it is going to be merged onto.
func (r *Reviewer) judgeQueued(ctx context.Context, q Queue, e source.Queued) (queueVerdict, error) {
	pr, open := q.Open[e.Number]
	if !open {
		return queueVerdict{state: StatePending, reason: fmt.Sprintf("#%d is not among the open pull requests of the branch", e.Number)}, nil
	}
	report, err := r.Judge(ctx, pr, e.Base, r.Now())
	if err != nil {
		return queueVerdict{}, err
	}
	v := queueVerdict{report, queueState(report.Verdict), Headline(report)}
	if v.state != StateSuccess {
		return v, nil
	}
	other, err := r.differs(ctx, e, report)
	if err != nil {
		return v, err
	}
	if other != "" {
		v.state, v.reason = StateFailure, fmt.Sprintf("holds other content of %s than #%d was judged for", other, e.Number)
	}
	return v, nil
}

// differs gives the first governed file of which an entry leaves other content
// than the report is about; empty where there is none.
func (r *Reviewer) differs(ctx context.Context, e source.Queued, report *Report) (string, error) {
	diff, err := r.Repo.Changes(ctx, e.Base, e.Head)
	if reason := unjudgeable(err); reason != "" {
		return "something", nil
	}
	if err != nil {
		return "", fmt.Errorf("compare %s with %s: %w", e.Base.Short(), e.Head.Short(), err)
	}
	judged := map[string]source.ID{}
	for _, c := range report.Changes {
		judged[c.Path] = c.AfterBlob()
	}
	for _, f := range diff.Files {
		if !schemas.IsPlatform(f.Path) && schemas.ClassifyPath(f.Path) != schemas.PathManifest {
			continue
		}
		if blob, known := judged[f.Path]; !known || blob != f.After.Blob {
			return f.Path, nil
		}
		delete(judged, f.Path)
	}
	for path := range judged {
		return path, nil
	}
	return "", nil
}

// queueStatus writes the statuses of an entry: the stages are its own, the
// aggregate speaks for all that is below it too.
func (r *Reviewer) queueStatus(ctx context.Context, q Queue, entry source.Queued, v queueVerdict) error {
	url := q.Open[entry.Number].URL
	statuses := []Status{{}}
	if v.report != nil {
		statuses = Statuses(v.report, url)
	}
	statuses[len(statuses)-1] = Status{Context: StatusContext, State: v.state, Description: v.reason, TargetURL: url}
	for _, s := range statuses {
		if err := r.Forge.SetStatus(ctx, entry.Head, s); err != nil {
			return fmt.Errorf("publish the verdict on #%d in the merge queue: %w", entry.Number, err)
		}
	}
	return nil
}
