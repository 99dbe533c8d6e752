package meeting_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/meeting"
	"github.com/mlops-platform/mooring/schemas"
)

var cab = schemas.Meeting{Weekday: "Thursday", From: "14:00", To: "16:00", TimeZone: "America/New_York"}

func TestNext(t *testing.T) {
	tests := map[string]struct{ at, from, to string }{
		"earlier in the week":                         {"2026-07-20T12:00:00Z", "2026-07-23T18:00:00Z", "2026-07-23T20:00:00Z"},
		"earlier on the day":                          {"2026-07-23T17:59:59Z", "2026-07-23T18:00:00Z", "2026-07-23T20:00:00Z"},
		"while it meets":                              {"2026-07-23T19:00:00Z", "2026-07-23T18:00:00Z", "2026-07-23T20:00:00Z"},
		"the moment it ends":                          {"2026-07-23T20:00:00Z", "2026-07-30T18:00:00Z", "2026-07-30T20:00:00Z"},
		"later in the week":                           {"2026-07-25T00:00:00Z", "2026-07-30T18:00:00Z", "2026-07-30T20:00:00Z"},
		"in winter an hour later in UTC":              {"2026-12-01T00:00:00Z", "2026-12-03T19:00:00Z", "2026-12-03T21:00:00Z"},
		"across the change of the clocks":             {"2026-10-30T00:00:00Z", "2026-11-05T19:00:00Z", "2026-11-05T21:00:00Z"},
		"already Friday in UTC, still Thursday there": {"2026-07-24T02:00:00Z", "2026-07-30T18:00:00Z", "2026-07-30T20:00:00Z"},
		"across the end of the year":                  {"2026-12-31T22:00:00Z", "2027-01-07T19:00:00Z", "2027-01-07T21:00:00Z"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			from, to, err := meeting.Next(cab, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := from.UTC().Format(time.RFC3339) + " " + to.UTC().Format(time.RFC3339); got != tc.from+" "+tc.to {
				t.Errorf("%s, want %s %s", got, tc.from, tc.to)
			}
		})
	}
}

func TestNextRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*schemas.Meeting)
		want   string
	}{
		"a zone that does not exist":  {func(m *schemas.Meeting) { m.TimeZone = "Mars/Olympus" }, "Mars/Olympus"},
		"this machine's zone":         {func(m *schemas.Meeting) { m.TimeZone = "Local" }, "Local"},
		"no zone":                     {func(m *schemas.Meeting) { m.TimeZone = "" }, "not a name"},
		"a day that does not exist":   {func(m *schemas.Meeting) { m.Weekday = "Thu" }, `"Thu"`},
		"a time that does not exist":  {func(m *schemas.Meeting) { m.From = "24:00" }, `"24:00"`},
		"an end that is no time":      {func(m *schemas.Meeting) { m.To = "soon" }, `"soon"`},
		"an end before the beginning": {func(m *schemas.Meeting) { m.To = "14:00" }, "not after"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			m := cab
			tc.change(&m)
			if _, _, err := meeting.Next(m, time.Unix(0, 0)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNextIsTheFirstToEndAfterNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := cab
		m.Weekday = time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday")).String()
		m.TimeZone = rapid.SampledFrom([]string{"America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"}).Draw(t, "zone")
		// Kiritimati left out the Saturday before 1995, which no week has had since.
		at := time.Unix(rapid.Int64Range(time.Date(1995, 2, 1, 0, 0, 0, 0, time.UTC).Unix(), 1<<32).Draw(t, "at"), 0)
		from, to, err := meeting.Next(m, at)
		if err != nil {
			t.Fatal(err)
		}
		if from.Weekday().String() != m.Weekday || from.Format("15:04") != m.From || to.Format("15:04") != m.To {
			t.Fatalf("%v to %v", from, to)
		}
		if !to.After(at) || from.AddDate(0, 0, -7).Add(2*time.Hour).After(at) {
			t.Fatalf("at %v the next is %v", at, from)
		}
	})
}
