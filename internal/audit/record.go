package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Version is the format version written into every record and covered by its hash.
const Version = 1

// Limits of one record. What is larger is refused with ErrTooLarge, never cut.
const (
	MaxEvidence = 64 << 10 // bytes of canonical JSON, after redaction
	MaxReason   = 8 << 10  // bytes
	MaxKey      = 512      // bytes
	MaxField    = 1 << 10  // bytes of every other text field
)

// maxLine bounds a line in bytes without its newline: the limits above with every byte escaped fit.
const maxLine = 256 << 10

// ReservedPrefix starts the keys of records that the log writes about itself. Append refuses it.
const ReservedPrefix = "audit:"

// timeLayout is RFC 3339 in UTC with all nine digits of nanoseconds, so that text order is time order.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// genesis is the "prev" of the first record and the hash of the head of an empty log.
const genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Phase says which side of an action a record stands on.
type Phase string

// The phases. A backend accepts any lower-case word; these are the ones Mooring writes.
const (
	PhaseIntent   Phase = "intent"   // about to act; nothing has been touched yet
	PhaseOutcome  Phase = "outcome"  // the action ended, well or badly
	PhaseDecision Phase = "decision" // a judgement, without an action of its own
	PhaseRepair   Phase = "repair"   // written by the log about itself; Append refuses it
)

// Action is what was, or will be, done.
type Action string

// The actions. A backend accepts any lower-case word; these are the ones Mooring writes.
const (
	ActionApply      Action = "apply"
	ActionPrune      Action = "prune"
	ActionHeal       Action = "heal"
	ActionQuarantine Action = "quarantine"
	ActionTrust      Action = "trust"
	ActionApprove    Action = "approve"
	ActionRemove     Action = "remove"
	ActionRestore    Action = "restore"
	ActionDrift      Action = "drift"
	ActionRemind     Action = "remind"
	ActionOverdue    Action = "overdue"
	ActionBreakGlass Action = "break-glass"
	ActionRepair     Action = "repair" // of the log itself
)

// Actions lists what Mooring writes, in the order of the documentation.
func Actions() []Action {
	return []Action{
		ActionTrust, ActionApprove, ActionRemove, ActionQuarantine, ActionRestore, ActionRemind, ActionOverdue,
		ActionBreakGlass, ActionApply, ActionHeal, ActionPrune, ActionDrift, ActionRepair,
	}
}

// Subject is what an action is about. Members that do not apply are empty.
type Subject struct {
	Repository  string `json:"repository"`
	Team        string `json:"team"`
	Model       string `json:"model"`
	Environment string `json:"environment"`
}

// Entry is what a caller wants on record.
type Entry struct {
	// Key makes Append idempotent: it names the event, not the attempt, and is the same when the
	// same event is appended again after a crash. Required, valid UTF-8, at most MaxKey bytes, not
	// beginning with ReservedPrefix. What differs between attempts (durations, retry counts)
	// belongs into the key or nowhere.
	Key     string  `json:"key"`
	Phase   Phase   `json:"phase"`  // required, lower-case letters, digits and dashes
	Action  Action  `json:"action"` // required, as Phase
	Subject Subject `json:"subject"`
	// Actor is who caused it: a login, a service account, or "mooring". Required.
	Actor string `json:"actor"`
	// Commit is the Git commit acted on, in hexadecimal; may be empty.
	Commit string `json:"commit"`
	// Digest is the change digest ("sha256:…") acted on; may be empty.
	Digest string `json:"digest"`
	// Reason is for people; may be empty. Secrets of known shape are redacted.
	Reason string `json:"reason"`
	// Evidence is anything encoding/json can encode. Secrets are redacted by member name and by
	// shape (see Redacted). Numbers of a record that was read are json.Number.
	Evidence map[string]any `json:"evidence,omitempty"`
}

// Record is an entry as it stands in the log: redacted, numbered, timed and chained.
type Record struct {
	Version int       `json:"v"`
	Seq     uint64    `json:"seq"`  // from 1, without gaps
	Time    time.Time `json:"time"` // UTC, by the clock of the writer; may step back when that does
	Entry
	Prev string `json:"prev"` // Hash of the record before
	Hash string `json:"hash"` // lower-case hexadecimal SHA-256
}

// Head returns the head of a log that ends with r.
func (r Record) Head() Head { return Head{Seq: r.Seq, Hash: r.Hash} }

// Appender is the audit log as the engine needs it; *Log is the file backend.
type Appender interface {
	// Append returns when the record is durable. Any error means that it must be taken as not
	// recorded; appending the same entry again is safe.
	Append(ctx context.Context, e Entry) (Record, error)
}

// Head names the last record of a log: whoever knows it can tell later that everything up to it
// is still there, unchanged. The zero Head and "0:000…" name an empty log.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// String gives "SEQ:HASH", which ParseHead reads.
func (h Head) String() string {
	if h.Seq == 0 {
		return "0:" + genesis
	}
	return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash
}

// ParseHead reads "SEQ:HASH": a decimal number, a colon and 64 lower-case hexadecimal digits.
func ParseHead(text string) (Head, error) {
	number, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || !isHash(hash) || (seq == 0) != (hash == genesis) {
		return Head{}, fmt.Errorf("%w: head %q is not SEQ:HASH (a number, a colon, 64 lower-case hexadecimal digits)", ErrInvalid, text)
	}
	return Head{Seq: seq, Hash: hash}, nil
}

func isHash[T string | []byte](s T) bool {
	if len(s) != len(genesis) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// prepared is an entry checked, cleaned and with its evidence encoded: all the work of an append
// that needs no lock.
type prepared struct {
	Entry
	evidence []byte // canonical JSON object
}

// prepare returns ErrInvalid or ErrTooLarge for an entry that cannot stand in a log.
func prepare(e Entry) (prepared, error) {
	e = clean(e)
	if err := check(e); err != nil {
		return prepared{}, err
	}
	evidence, err := canonicalEvidence(e.Evidence)
	if err != nil {
		return prepared{}, fmt.Errorf("evidence of %q: %w", e.Key, err)
	}
	e.Evidence, err = decodeEvidence(evidence)
	if err != nil {
		return prepared{}, fmt.Errorf("evidence of %q: %w", e.Key, err)
	}
	return prepared{Entry: e, evidence: evidence}, nil
}

// clean makes all text but the key valid UTF-8: it can come from hostile files, and one bad byte in
// a reason must not keep an action off the record.
func clean(e Entry) Entry {
	for _, s := range []*string{
		&e.Subject.Repository, &e.Subject.Team, &e.Subject.Model, &e.Subject.Environment,
		&e.Actor, &e.Commit, &e.Digest, &e.Reason,
	} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	e.Reason = redactText(e.Reason)
	return e
}

func check(e Entry) error {
	var errs []error
	invalid := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...)))
	}
	if e.Key == "" || !utf8.ValidString(e.Key) {
		invalid("key %q is empty or not UTF-8", e.Key)
	}
	if !isWord(string(e.Phase)) || !isWord(string(e.Action)) {
		invalid("phase %q and action %q must be lower-case words", e.Phase, e.Action)
	}
	if e.Actor == "" {
		invalid("actor is empty")
	}
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"key", e.Key, MaxKey}, {"phase", string(e.Phase), MaxField}, {"action", string(e.Action), MaxField},
		{"repository", e.Subject.Repository, MaxField}, {"team", e.Subject.Team, MaxField},
		{"model", e.Subject.Model, MaxField}, {"environment", e.Subject.Environment, MaxField},
		{"actor", e.Actor, MaxField}, {"commit", e.Commit, MaxField}, {"digest", e.Digest, MaxField},
		{"reason", e.Reason, MaxReason},
	} {
		if len(f.value) > f.limit {
			errs = append(errs, fmt.Errorf("%w: %s has %d bytes, the limit is %d", ErrTooLarge, f.name, len(f.value), f.limit))
		}
	}
	return errors.Join(errs...)
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
