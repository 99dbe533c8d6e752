package meeting

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no time zones

	"github.com/mlops-platform/mooring/schemas"
)

// Next is the board's meeting under way at a time, or else the next one, in the
// board's time zone. A meeting is over at its end. It errs where the weekday,
// a time of day or the zone does not exist, and where the meeting does not end
// after it begins.
func Next(m schemas.Meeting, at time.Time) (from, to time.Time, err error) {
	zone, err := location(m.TimeZone)
	if err != nil {
		return from, to, err
	}
	weekday, err := parseWeekday(m.Weekday)
	if err != nil {
		return from, to, err
	}
	begin, err := parseClock(m.From)
	if err != nil {
		return from, to, err
	}
	end, err := parseClock(m.To)
	if err != nil {
		return from, to, err
	}
	if end <= begin {
		return from, to, fmt.Errorf("the meeting ends at %s, not after it begins at %s", m.To, m.From)
	}
	local := at.In(zone)
	const week = 7
	day := local.Day() + (int(weekday)-int(local.Weekday())+week)%week
	for ; ; day += week {
		from = onDay(local, day, begin)
		to = onDay(local, day, end)
		if to.After(at) {
			return from, to, nil
		}
	}
}

// location refuses the names that mean this machine's own zone.
func location(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("the meeting's time zone %q is not a name such as America/New_York", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the meeting's time zone %q does not exist", name)
	}
	return zone, nil
}

// clock is a time of day in minutes since midnight.
type clock int

func parseClock(s string) (clock, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("the meeting's time %q is not a time of day such as 14:00", s)
	}
	return clock(t.Hour()*60 + t.Minute()), nil
}

func parseWeekday(s string) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), s) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("the meeting's weekday %q is not a day such as Thursday", s)
}

func onDay(month time.Time, day int, c clock) time.Time {
	return time.Date(month.Year(), month.Month(), day, int(c)/60, int(c)%60, 0, 0, month.Location())
}
