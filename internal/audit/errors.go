package audit

import (
	"errors"
	"fmt"
	"syscall"
)

// What callers tell apart with errors.Is.
var (
	// ErrInvalid: the entry, head or filter given is malformed. Nothing was written.
	ErrInvalid = errors.New("invalid")
	// ErrTooLarge: the entry exceeds a limit. Nothing was written.
	ErrTooLarge = errors.New("too large")
	// ErrConflict: the key is on record with different content. Nothing was written.
	ErrConflict = errors.New("key is already on record with different content")
	// ErrUncertain: the caller's context ended while the record was being written; it may be on
	// record. Append it again with the same key to find out.
	ErrUncertain = errors.New("may or may not be on record")
	// ErrFailed: a write to the log failed; every Append fails until it is opened again.
	ErrFailed = errors.New("audit log failed and must be reopened")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("audit log is closed")
	// ErrLocked: another process writes this log.
	ErrLocked = errors.New("audit log is in use")
	// ErrHeadMissing: no head file stands beside a log that has records, so a cut end would go unseen.
	ErrHeadMissing = errors.New("head file is missing")
	// ErrBroken: the log is not what was written. The error is a *BrokenError.
	ErrBroken = errors.New("audit log is broken")
)

// Damage is what is wrong with a log.
type Damage string

// The kinds of damage.
const (
	DamageChanged    Damage = "changed"           // a line is not what was written
	DamageRemoved    Damage = "removed"           // records are missing in the middle
	DamageInserted   Damage = "inserted"          // a line was added or repeated
	DamageReordered  Damage = "reordered"         // a record stands on a later line than its own
	DamageBeginning  Damage = "beginning-removed" // the first records are missing
	DamageTorn       Damage = "torn"              // the last line is unfinished, as a crash leaves it
	DamageTruncated  Damage = "truncated"         // the log ends before a head that is known
	DamageRewritten  Damage = "rewritten"         // the chain is unbroken, but is not the one a known head belongs to
	DamageUnreadable Damage = "unreadable"        // written by a newer version of the format
)

// BrokenError says where a log is first broken and how. errors.Is(err, ErrBroken) holds.
type BrokenError struct {
	Line   uint64 // line in the file, from 1; also the sequence number expected there
	Damage Damage
	Detail string // for people
}

// Error gives line, damage and detail.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("%v: line %d: %s: %s", ErrBroken, e.Line, e.Damage, e.Detail)
}

// Unwrap makes errors.Is(err, ErrBroken) hold.
func (e *BrokenError) Unwrap() error { return ErrBroken }

func broken(line uint64, d Damage, format string, args ...any) *BrokenError {
	return &BrokenError{Line: line, Damage: d, Detail: fmt.Sprintf(format, args...)}
}

// remedied adds what to do about a volume that does not take the log.
func remedied(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; enlarge the volume of the audit log: no record is lost, and none may be removed to make room", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; the volume of the audit log is read-only: look at how it is mounted, and at its node", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w; give the folder of the audit log and its files to the user that the controller runs as", err)
	}
	return err
}
