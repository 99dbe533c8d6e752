package review

import "context"

// Priority says what is asked of the forge first where it lets Mooring ask only
// so much.
type Priority int

// The priorities, the lowest first. What carries none is a pull request's.
const (
	// PriorityPoll is looking whether anything has changed.
	PriorityPoll Priority = iota + 1
	// PriorityPullRequest is judging a pull request that has changed.
	PriorityPullRequest
	// PriorityMerge is finding out what was merged, and by whose approval: a
	// deployment waits for it.
	PriorityMerge
)

type priorityKey struct{}

// WithPriority marks everything that is asked of the forge under the context.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// PriorityOf is the priority that a context carries.
func PriorityOf(ctx context.Context) Priority {
	if p, ok := ctx.Value(priorityKey{}).(Priority); ok {
		return p
	}
	return PriorityPullRequest
}
