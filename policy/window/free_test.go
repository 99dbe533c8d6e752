package window

import (
	"testing"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

func TestFreeIsPastFreezesAndClosedWindows(t *testing.T) {
	at := func(text string) time.Time {
		got, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	monday := []schemas.Window{{Environments: []string{"production"}, Weekdays: []string{"Monday"}, From: "09:00", To: "17:00", TimeZone: "UTC"}}
	frozen := func(from, to string) []schemas.Freeze {
		return []schemas.Freeze{{Environments: []string{"production"}, From: at(from), To: at(to)}}
	}
	for name, tc := range map[string]struct {
		freezes     []schemas.Freeze
		windows     []schemas.Window
		environment string
		want        string
	}{
		"nothing holds":                       {nil, nil, "production", "2026-11-30T08:00:00Z"},
		"a window that is closed":             {nil, monday, "production", "2026-11-30T09:00:00Z"},
		"another environment's window":        {nil, monday, "staging", "2026-11-30T08:00:00Z"},
		"a freeze that ends in the window":    {frozen("2026-11-29T00:00:00Z", "2026-11-30T10:00:00Z"), monday, "production", "2026-11-30T10:00:00Z"},
		"a freeze that ends after it":         {frozen("2026-11-29T00:00:00Z", "2026-12-01T00:00:00Z"), monday, "production", "2026-12-07T09:00:00Z"},
		"a window that opens in a freeze":     {frozen("2026-11-30T08:30:00Z", "2026-12-01T00:00:00Z"), monday, "production", "2026-12-07T09:00:00Z"},
		"a freeze that has not begun to hold": {frozen("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"), nil, "production", "2026-11-30T08:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Free(tc.freezes, tc.windows, tc.environment, at("2026-11-30T08:00:00Z"))
			if err != nil || !got.Equal(at(tc.want)) {
				t.Errorf("%v, %v; want %s", got, err, tc.want)
			}
		})
	}
	broken := []schemas.Window{{Environments: []string{"production"}, Weekdays: []string{"Monday"}, From: "09:00", To: "17:00", TimeZone: "Mars/Olympus"}}
	if _, err := Free(nil, broken, "production", at("2026-11-30T08:00:00Z")); err == nil {
		t.Error("a window that is not understood is free")
	}
}
