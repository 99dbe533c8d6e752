package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no time zones

	"github.com/mlops-platform/mooring/schemas"
)

// Span is a time in which an environment is open, from Opens inclusive to
// Closes exclusive, in the time zone of its window.
type Span struct{ Opens, Closes time.Time }

// Of lists the windows of an environment, in the file's order. An environment
// without one is always open.
func Of(windows []schemas.Window, environment string) []schemas.Window {
	var own []schemas.Window
	for _, w := range windows {
		if slices.Contains(w.Environments, environment) {
			own = append(own, w)
		}
	}
	return own
}

// Open reports whether models may be deployed to an environment at a time. It
// errs where a window cannot be understood, and then the environment is closed.
func Open(windows []schemas.Window, environment string, at time.Time) (bool, error) {
	own := Of(windows, environment)
	if len(own) == 0 {
		return true, nil
	}
	span, found, err := Next(own, environment, at)
	return err == nil && found && !at.Before(span.Opens), err
}

// Next is the span under way at a time, or else the one that opens first. Spans
// of several windows are not joined: of two that are under way it is the one
// that closes last, and where one closes another may be open. Found is false
// where the environment has no window, and so never closes, or one that never
// opens. It errs where a window cannot be understood.
func Next(windows []schemas.Window, environment string, at time.Time) (next Span, found bool, err error) {
	for _, w := range Of(windows, environment) {
		s, ok, err := nextOf(w, at)
		if err != nil {
			return Span{}, false, fmt.Errorf("a window of %s: %w", environment, err)
		}
		if ok && (!found || s.before(next, at)) {
			next, found = s, true
		}
	}
	return next, found, nil
}

// before: what is open comes before what is not, and stays open for longer; of
// what is not open the first to open.
func (s Span) before(o Span, at time.Time) bool {
	open, other := !at.Before(s.Opens), !at.Before(o.Opens)
	switch {
	case open && other:
		return s.Closes.After(o.Closes)
	case open != other:
		return open
	}
	return s.Opens.Before(o.Opens) || s.Opens.Equal(o.Opens) && s.Closes.After(o.Closes)
}

// nextOf looks at the days from the one before, whose window may last into this
// one, to the same weekday a week on. One more covers a day that the clocks
// leave out altogether.
func nextOf(w schemas.Window, at time.Time) (Span, bool, error) {
	zone, from, to, weekdays, err := parse(w)
	if err != nil {
		return Span{}, false, err
	}
	local := at.In(zone)
	if to <= from {
		to += 24 * 60
	}
	const days = 15
	for day := local.Day() - 1; day < local.Day()+days; day++ {
		// The weekday is of the calendar, whatever the clocks do at midnight.
		noon := time.Date(local.Year(), local.Month(), day, 12, 0, 0, 0, zone)
		if !weekdays[noon.Weekday()] {
			continue
		}
		s := Span{
			Opens:  time.Date(local.Year(), local.Month(), day, 0, from, 0, 0, zone),
			Closes: time.Date(local.Year(), local.Month(), day, 0, to, 0, 0, zone),
		}
		if s.Opens.Before(s.Closes) && at.Before(s.Closes) {
			return s, true, nil
		}
	}
	return Span{}, false, nil
}

// parse reads a window; from and to are minutes since midnight.
func parse(w schemas.Window) (zone *time.Location, from, to int, weekdays [7]bool, err error) {
	if w.TimeZone == "" || w.TimeZone == "Local" {
		return nil, 0, 0, weekdays, fmt.Errorf("the time zone %q is not a name such as America/New_York", w.TimeZone)
	}
	if zone, err = time.LoadLocation(w.TimeZone); err != nil {
		return nil, 0, 0, weekdays, fmt.Errorf("the time zone %q does not exist", w.TimeZone)
	}
	if from, err = minutes(w.From); err != nil {
		return nil, 0, 0, weekdays, err
	}
	if to, err = minutes(w.To); err != nil {
		return nil, 0, 0, weekdays, err
	}
	for _, name := range w.Weekdays {
		day := slices.IndexFunc(weekdaysOf[:], func(d string) bool { return strings.EqualFold(d, name) })
		if day < 0 {
			return nil, 0, 0, weekdays, fmt.Errorf("the weekday %q is not a day such as Thursday", name)
		}
		weekdays[day] = true
	}
	return zone, from, to, weekdays, nil
}

var weekdaysOf = [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}

func minutes(clock string) (int, error) {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return 0, fmt.Errorf("the time %q is not a time of day such as 14:00", clock)
	}
	return t.Hour()*60 + t.Minute(), nil
}
