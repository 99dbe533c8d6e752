package window_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/window"
	"github.com/mlops-platform/mooring/schemas"
)

func of(zone, from, to string, weekdays ...string) schemas.Window {
	return schemas.Window{Environments: []string{"production"}, Weekdays: weekdays, From: from, To: to, TimeZone: zone}
}

var (
	office  = of("America/New_York", "09:00", "17:00", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
	nightly = of("Europe/Berlin", "22:00", "04:00", "Saturday")
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOpenAndNext(t *testing.T) {
	both := []schemas.Window{office, nightly}
	tests := map[string]struct {
		windows           []schemas.Window
		at, opens, closes string
		open              bool
	}{
		"during the day":                       {both, "2026-11-23T15:00:00Z", "2026-11-23T14:00:00Z", "2026-11-23T22:00:00Z", true},
		"the moment it opens":                  {both, "2026-11-23T14:00:00Z", "2026-11-23T14:00:00Z", "2026-11-23T22:00:00Z", true},
		"before it opens":                      {both, "2026-11-23T13:59:59Z", "2026-11-23T14:00:00Z", "2026-11-23T22:00:00Z", false},
		"the moment it closes":                 {both, "2026-11-23T22:00:00Z", "2026-11-24T14:00:00Z", "2026-11-24T22:00:00Z", false},
		"over the weekend":                     {[]schemas.Window{office}, "2026-11-28T12:00:00Z", "2026-11-30T14:00:00Z", "2026-11-30T22:00:00Z", false},
		"in summer an hour earlier in UTC":     {[]schemas.Window{office}, "2026-07-04T12:00:00Z", "2026-07-06T13:00:00Z", "2026-07-06T21:00:00Z", false},
		"across the change of the clocks":      {[]schemas.Window{office}, "2026-10-31T12:00:00Z", "2026-11-02T14:00:00Z", "2026-11-02T22:00:00Z", false},
		"the first of two windows":             {both, "2026-11-28T12:00:00Z", "2026-11-28T21:00:00Z", "2026-11-29T03:00:00Z", false},
		"after midnight of a window overnight": {both, "2026-11-29T02:59:59Z", "2026-11-28T21:00:00Z", "2026-11-29T03:00:00Z", true},
		"overnight, when an hour is left out":  {[]schemas.Window{nightly}, "2026-03-28T22:00:00Z", "2026-03-28T21:00:00Z", "2026-03-29T02:00:00Z", true},
		"overnight, when an hour comes twice":  {[]schemas.Window{nightly}, "2026-10-24T22:00:00Z", "2026-10-24T20:00:00Z", "2026-10-25T03:00:00Z", true},
		"a whole day": {
			[]schemas.Window{of("UTC", "00:00", "00:00", "Sunday")}, "2026-11-29T12:00:00Z", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z", true,
		},
		"across the end of the year": {[]schemas.Window{of("UTC", "23:00", "01:00", "Thursday")}, "2027-01-01T00:30:00Z", "2026-12-31T23:00:00Z", "2027-01-01T01:00:00Z", true},
		"where a day is left out":    {[]schemas.Window{of("Pacific/Apia", "09:00", "10:00", "Friday")}, "2011-12-28T00:00:00Z", "2012-01-05T19:00:00Z", "2012-01-05T20:00:00Z", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			now := at(t, tc.at)
			open, err := window.Open(tc.windows, "production", now)
			if err != nil || open != tc.open {
				t.Errorf("open %v (error %v), want %v", open, err, tc.open)
			}
			span, found, err := window.Next(tc.windows, "production", now)
			if err != nil || !found || !span.Opens.Equal(at(t, tc.opens)) || !span.Closes.Equal(at(t, tc.closes)) {
				t.Errorf("%v to %v (found %v, error %v), want %s to %s", span.Opens.UTC(), span.Closes.UTC(), found, err, tc.opens, tc.closes)
			}
		})
	}
}

func TestAnEnvironmentThatNoWindowNamesIsOpen(t *testing.T) {
	if open, err := window.Open([]schemas.Window{office}, "staging", at(t, "2026-11-28T12:00:00Z")); !open || err != nil {
		t.Errorf("open %v, error %v", open, err)
	}
	if span, found, err := window.Next([]schemas.Window{office}, "staging", at(t, "2026-11-28T12:00:00Z")); found || err != nil {
		t.Errorf("%v, error %v", span, err)
	}
}

func TestAWindowThatIsNotUnderstoodIsClosed(t *testing.T) {
	for want, broken := range map[string]schemas.Window{
		"Mars/Olympus": of("Mars/Olympus", "09:00", "17:00", "Monday"),
		`"Local"`:      of("Local", "09:00", "17:00", "Monday"),
		`"24:00"`:      of("UTC", "24:00", "17:00", "Monday"),
		`"soon"`:       of("UTC", "09:00", "soon", "Monday"),
		`"Mon"`:        of("UTC", "09:00", "17:00", "Mon"),
	} {
		all := []schemas.Window{office, broken}
		if open, err := window.Open(all, "production", at(t, "2026-11-23T15:00:00Z")); open || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %v, error %v, want %s", open, err, want)
		}
	}
}

// TestNextIsTheFirstOpening: Next is open, nothing is between now and then, and
// a span that is under way holds.
func TestNextIsTheFirstOpening(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Asia/Beirut"}
	days := []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	clock := rapid.StringMatching(`([01][0-9]|2[0-3]):[0-5][0-9]`)
	rapid.Check(t, func(t *rapid.T) {
		var all []schemas.Window
		for range rapid.IntRange(1, 3).Draw(t, "windows") {
			all = append(all, of(rapid.SampledFrom(zones).Draw(t, "zone"), clock.Draw(t, "from"), clock.Draw(t, "to"),
				rapid.SliceOfNDistinct(rapid.SampledFrom(days), 1, 7, rapid.ID).Draw(t, "days")...))
		}
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now := start.Add(time.Duration(rapid.IntRange(0, 2*365*24*60).Draw(t, "minutes")) * time.Minute)
		isOpen := func(at time.Time) bool {
			open, err := window.Open(all, "production", at)
			if err != nil {
				t.Fatal(err)
			}
			return open
		}
		span, found, err := window.Next(all, "production", now)
		if err != nil || !found {
			t.Fatalf("no next span: %v", err)
		}
		if !span.Opens.Before(span.Closes) || !now.Before(span.Closes) || !isOpen(span.Opens) || !isOpen(span.Closes.Add(-1)) {
			t.Fatalf("%v to %v is not open", span.Opens, span.Closes)
		}
		if open := isOpen(now); open != !now.Before(span.Opens) {
			t.Fatalf("open is %v, and the next span begins at %v", open, span.Opens)
		}
		for at := now; at.Before(span.Opens); at = at.Add(7 * time.Minute) {
			if isOpen(at) {
				t.Fatalf("open at %v, before %v", at, span.Opens)
			}
		}
		if at := now.Truncate(time.Minute); isOpen(at) != slices.ContainsFunc(all, func(w schemas.Window) bool { return holds(w, at) }) {
			t.Fatalf("open is %v at %v", isOpen(at), at)
		}
	})
}

// holds reads a window as the clock on the wall shows it, where no change of
// the clocks is near.
func holds(w schemas.Window, at time.Time) bool {
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		return false
	}
	local := at.In(zone)
	_, before := local.Add(-36 * time.Hour).Zone()
	_, after := local.Add(36 * time.Hour).Zone()
	if before != after {
		open, err := window.Open([]schemas.Window{w}, "production", at)
		return err == nil && open
	}
	clock, today := local.Format("15:04"), slices.Contains(w.Weekdays, local.Weekday().String())
	if w.From < w.To {
		return today && w.From <= clock && clock < w.To
	}
	yesterday := slices.Contains(w.Weekdays, local.AddDate(0, 0, -1).Weekday().String())
	return today && w.From <= clock || yesterday && clock < w.To
}

func FuzzNext(f *testing.F) {
	f.Add("UTC", "09:00", "17:00", "Monday", int64(1_795_000_000))
	f.Add("Pacific/Apia", "23:59", "00:00", "Friday", int64(1_325_000_000))
	f.Fuzz(func(t *testing.T, zone, from, to, day string, seconds int64) {
		now := time.Unix(seconds%(1<<36), 0)
		all := []schemas.Window{of(zone, from, to, day)}
		span, found, err := window.Next(all, "production", now)
		if err == nil && found && (!span.Opens.Before(span.Closes) || !now.Before(span.Closes)) {
			t.Fatalf("%v to %v at %v", span.Opens, span.Closes, now)
		}
	})
}
