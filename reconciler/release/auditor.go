package release

import "context"

// Auditor keeps what is about to be done, and what came of it, where nobody can
// rewrite it. After an error nothing may be done.
type Auditor interface {
	Record(ctx context.Context, e Event) error
}

// Phase says which side of an action an event stands on.
type Phase string

// The phases.
const (
	Intent   Phase = "intent"
	Outcome  Phase = "outcome"
	Decided  Phase = "decision"
	bySystem       = "mooring"
)

// Action is what is recorded.
type Action string

// The actions.
const (
	ActionTrust      Action = "trust"
	ActionApprove    Action = "approve"
	ActionRemove     Action = "remove"
	ActionQuarantine Action = "quarantine"
	ActionRestore    Action = "restore"
	ActionApply      Action = "apply"
	ActionPrune      Action = "prune"
	ActionHeal       Action = "heal"
	ActionDrift      Action = "drift"
)

// Event is one record. The same event, recorded again after a crash, has the
// same Key and content and is kept once.
type Event struct {
	Key         string
	Phase       Phase
	Action      Action
	Repository  string
	Team        string
	Model       string
	Environment string
	Path        string
	// Actor is the person or the service behind it; empty means Mooring itself.
	Actor    string
	Commit   string
	Digest   string
	Reason   string
	Evidence map[string]any
}
