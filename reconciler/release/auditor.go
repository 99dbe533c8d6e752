package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Auditor keeps what is about to be done, and what came of it, where nobody can
// rewrite it. After an error nothing may be done.
type Auditor interface {
	Record(ctx context.Context, e Event) error
}

// Witness tells what is on record. It is asked whether approvals that the
// cluster holds were ever given: whoever may write to receipts could forge them.
type Witness interface {
	// Recorded reports whether an event with this key is on record.
	Recorded(ctx context.Context, key string) (bool, error)
}

// Phase says which side of an action an event stands on.
type Phase string

// The phases.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
	Decided Phase = "decision"
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
	ActionRemind     Action = "remind"
	ActionOverdue    Action = "overdue"
	ActionBreakGlass Action = "break-glass"
)

// Event is one record. The same event, recorded again after a crash, is kept once.
type Event struct {
	// Key is made by Record: a digest of everything else. So a repeated event is
	// recognised, and two events can never claim the same key with different
	// content, which the log would refuse for ever.
	Key string
	// Occasion tells apart what would otherwise be the same event at another
	// time, such as the receipt's UID.
	Occasion    string
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

// maxReason bounds a reason, in bytes; the log takes a few times as much.
const maxReason = 2000

// keyed clips an event to what the log takes and gives it its key.
func keyed(e Event) (Event, error) {
	e.Reason = clip(e.Reason, maxReason)
	e.Key = ""
	text, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("encode the %s of %s for the audit log: %w", e.Phase, e.Action, err)
	}
	sum := sha256.Sum256(text)
	e.Key = fmt.Sprintf("%s/%s/%s", e.Action, e.Phase, hex.EncodeToString(sum[:]))
	return e, nil
}

// Recorded reports whether an event is on record with all that it says.
func Recorded(ctx context.Context, w Witness, e Event) (bool, error) {
	e, err := keyed(e)
	if err != nil {
		return false, err
	}
	ok, err := w.Recorded(ctx, e.Key)
	if err != nil {
		return false, fmt.Errorf("ask the audit log for the %s of %s: %w", e.Phase, e.Action, err)
	}
	return ok, nil
}

// Record gives an event its key and puts it on record.
func Record(ctx context.Context, a Auditor, e Event) error {
	e, err := keyed(e)
	if err != nil {
		return err
	}
	if err := a.Record(ctx, e); err != nil {
		return fmt.Errorf("record the %s of %s in the audit log: %w", e.Phase, e.Action, err)
	}
	return nil
}

// clip shortens a text to so many bytes, between two characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const rest = "…"
	end := most - len(rest)
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + rest
}
