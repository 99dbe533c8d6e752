package meeting_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/policy/meeting"
	"github.com/mlops-platform/mooring/schemas"
)

var monday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func due(hours int) *metav1.Time {
	t := metav1.NewTime(monday.Add(time.Duration(hours) * time.Hour))
	return &t
}

func TestAgendaIsOrderedByDueTime(t *testing.T) {
	items := []schemas.AgendaItem{
		{PullRequest: 4, Change: "a"},
		{PullRequest: 3, Change: "b", Due: due(9)},
		{PullRequest: 2, Change: "d", Due: due(5)},
		{PullRequest: 2, Change: "c", Due: due(5)},
		{PullRequest: 1, Change: "e", Due: due(5)},
		{PullRequest: 5, Change: "f", Due: due(-5)},
	}
	before := slices.Clone(items)
	got, err := meeting.Agenda("cab", cab, monday, items)
	if err != nil {
		t.Fatal(err)
	}
	order := ""
	for _, item := range got.Items {
		order += fmt.Sprintf("%d%s ", item.PullRequest, item.Change)
	}
	if want := "5f 1e 2c 2d 3b 4a "; order != want || got.Count != 6 || got.Name != "cab" {
		t.Errorf("%q of %d for %s, want %q", order, got.Count, got.Name, want)
	}
	if !slices.EqualFunc(items, before, func(a, b schemas.AgendaItem) bool { return a.Change == b.Change }) {
		t.Error("the caller's list was reordered")
	}
}

func TestAgendaIsBoundedAndCountsAll(t *testing.T) {
	got, err := meeting.Agenda("cab", cab, monday, make([]schemas.AgendaItem, 3*schemas.MaxAgendaItems))
	if err != nil || len(got.Items) != schemas.MaxAgendaItems || got.Count != 3*schemas.MaxAgendaItems {
		t.Errorf("%d of %d items: %v", len(got.Items), got.Count, err)
	}
	if got, err = meeting.Agenda("cab", cab, monday, nil); err != nil || got.Count != 0 || got.Next.From.IsZero() {
		t.Errorf("nothing to discuss: %+v, %v", got, err)
	}
	if _, err = meeting.Agenda("cab", schemas.Meeting{}, monday, nil); err == nil {
		t.Error("a board that never meets has an agenda")
	}
}

func TestFormatIsTheBoardsOwnTime(t *testing.T) {
	for at, want := range map[time.Time]string{
		monday: "Thu 2026-11-26 14:00–16:00 America/New_York",
		time.Date(2026, 7, 20, 0, 0, 0, 0, time.UTC): "Thu 2026-07-23 14:00–16:00 America/New_York",
	} {
		agenda, err := meeting.Agenda("cab", cab, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		stored := agenda.Next // as it comes out of the cluster, in UTC
		stored.From, stored.To = metav1.NewTime(stored.From.UTC()), metav1.NewTime(stored.To.UTC())
		if got := meeting.Format(stored); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		stored.TimeZone = "Mars/Olympus"
		if got := meeting.Format(stored); got[len(got)-3:] != "UTC" {
			t.Errorf("in a zone that does not exist: %q", got)
		}
	}
}

func TestAgendaLosesNothingAndAddsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, schemas.MaxAgendaItems).Draw(t, "n")
		var items []schemas.AgendaItem
		for i := range n {
			item := schemas.AgendaItem{PullRequest: rapid.IntRange(1, 5).Draw(t, "number"), Digest: fmt.Sprint(i)}
			if rapid.Bool().Draw(t, "hasDue") {
				item.Due = due(rapid.IntRange(-3, 3).Draw(t, "due"))
			}
			items = append(items, item)
		}
		got, err := meeting.Agenda("cab", cab, monday, items)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for i, item := range got.Items {
			seen[item.Digest] = true
			if i == 0 {
				continue
			}
			before := got.Items[i-1]
			if before.Due == nil && item.Due != nil || before.Due != nil && item.Due != nil && item.Due.Before(before.Due) {
				t.Fatalf("%v stands after %v", item.Due, before.Due)
			}
		}
		if len(seen) != n {
			t.Fatalf("%d of %d items", len(seen), n)
		}
	})
}
