package drift

import (
	"fmt"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// HealPolicy says when a drift is healed and when healing ends. The zero value
// is good.
type HealPolicy struct {
	// Heals of one field against one manager within Window make it contested.
	Heals  int
	Window time.Duration
	// First pause after a heal of the same field; it doubles up to Longest.
	First, Longest time.Duration
}

// Heal is what to do about a drift.
type Heal string

// The decisions.
const (
	// HealNow: apply the unit again.
	HealNow Heal = "Now"
	// HealLater: not before HealDecision.At.
	HealLater Heal = "Later"
	// HealNever: contested; a person must settle it.
	HealNever Heal = "Never"
)

// HealDecision is a decision with its grounds.
type HealDecision struct {
	Heal   Heal
	Reason string
	// At is when to decide again, for HealLater.
	At time.Time
	// Contested lists the found fields that are fought over, with that state.
	Contested []schemas.DriftedField
}

func (p HealPolicy) orDefault() HealPolicy {
	if p.Heals <= 0 {
		p.Heals = 3
	}
	if p.Window <= 0 {
		p.Window = time.Hour
	}
	if p.First <= 0 {
		p.First = 30 * time.Second
	}
	if p.Longest <= 0 {
		p.Longest = 15 * time.Minute
	}
	return p
}

// Decide judges the drift found now by the history of earlier ones.
//
//	a field was contested before, and nobody cleared it  → never
//	healed Heals times within Window, same manager       → never
//	healed before within Window                          → later: First, 2×First, 4×First…
//	else                                                 → now
//
// A unit is healed as a whole, so the most reluctant field decides. The
// history forgets a contest when its caller drops the entry: when Git changes,
// or when the field is found in order.
func (p HealPolicy) Decide(history, found []schemas.DriftedField, now time.Time) HealDecision {
	p = p.orDefault()
	decision := HealDecision{Heal: HealNow, Reason: "first drift of these fields"}
	for _, field := range found {
		heals, last, contested := p.past(history, field, now)
		switch {
		case contested || heals >= p.Heals:
			field.State = schemas.DriftContested
			decision.Contested = append(decision.Contested, field)
		case heals > 0:
			at := last.Add(p.pause(heals))
			if at.After(now) && at.After(decision.At) {
				decision.Heal, decision.At = HealLater, at
				decision.Reason = fmt.Sprintf("%s was healed %d times within %s", subject(field), heals, p.Window)
			}
		}
	}
	if len(decision.Contested) > 0 {
		return HealDecision{Heal: HealNever, Contested: decision.Contested, Reason: p.contest(decision.Contested[0])}
	}
	return decision
}

func (p HealPolicy) past(history []schemas.DriftedField, field schemas.DriftedField, now time.Time) (heals int, last time.Time, contested bool) {
	for _, past := range history {
		if past.Object != field.Object || past.Path != field.Path || past.Manager != field.Manager {
			continue
		}
		if past.State == schemas.DriftContested {
			contested = true
		}
		if past.HealedAt == nil || now.Sub(past.HealedAt.Time) > p.Window {
			continue
		}
		heals++
		if past.HealedAt.After(last) {
			last = past.HealedAt.Time
		}
	}
	return heals, last, contested
}

func (p HealPolicy) pause(heals int) time.Duration {
	pause := p.First
	for range heals - 1 {
		if pause >= p.Longest {
			break
		}
		pause *= 2
	}
	return min(pause, p.Longest)
}

func (p HealPolicy) contest(field schemas.DriftedField) string {
	by := "someone who leaves no trace"
	if field.Manager != "" {
		by = fmt.Sprintf("%q (%s)", field.Manager, field.Operation)
	}
	return fmt.Sprintf("%s is changed back by %s, healed %d times within %s: stop one of the two, or leave the field out of Git",
		subject(field), by, p.Heals, p.Window)
}

func subject(field schemas.DriftedField) string {
	if field.Path == "" {
		return field.Object
	}
	return field.Object + " " + field.Path
}
