package window

import (
	"time"

	"github.com/mlops-platform/mooring/policy/freeze"
	"github.com/mlops-platform/mooring/schemas"
)

// Free is the first time from at on at which neither a freeze nor a closed window
// holds an environment up; at itself where none does. It errs where a window
// cannot be understood.
func Free(freezes []schemas.Freeze, windows []schemas.Window, environment string, at time.Time) (time.Time, error) {
	// A window may open in a freeze, and a freeze end outside of the windows. Each
	// round goes past one of them.
	for {
		at = freeze.Until(freezes, environment, at)
		span, found, err := Next(windows, environment, at)
		if err != nil || !found || !span.Opens.After(at) {
			return at, err
		}
		at = span.Opens
	}
}
