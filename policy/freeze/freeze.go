package freeze

import (
	"slices"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// At lists the freezes that hold for the environment at a time, in the file's
// order. A freeze holds from From inclusive to To exclusive.
func At(freezes []schemas.Freeze, environment string, at time.Time) []schemas.Freeze {
	var active []schemas.Freeze
	for _, f := range freezes {
		if slices.Contains(f.Environments, environment) && !at.Before(f.From) && at.Before(f.To) {
			active = append(active, f)
		}
	}
	return active
}

// Until is the first time from at on at which no freeze holds for the
// environment, following freezes that overlap or follow one another; at itself
// where none holds.
func Until(freezes []schemas.Freeze, environment string, at time.Time) time.Time {
	for {
		active := At(freezes, environment, at)
		if len(active) == 0 {
			return at
		}
		for _, f := range active {
			if f.To.After(at) {
				at = f.To
			}
		}
	}
}
