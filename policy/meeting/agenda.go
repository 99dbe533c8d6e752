package meeting

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// Agenda is what a board's meeting under way at a time, or else its next one, is
// about: what is due first stands first, and what has no due time last. It lists
// at most schemas.MaxAgendaItems and counts all. The items are left as they are.
func Agenda(board string, meets schemas.Meeting, at time.Time, items []schemas.AgendaItem) (schemas.BoardStatus, error) {
	from, to, err := Next(meets, at)
	if err != nil {
		return schemas.BoardStatus{}, fmt.Errorf("when the board %s meets: %w", board, err)
	}
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b schemas.AgendaItem) int {
		return cmp.Or(compareDue(a.Due, b.Due), cmp.Compare(a.PullRequest, b.PullRequest), cmp.Compare(a.Change, b.Change))
	})
	return schemas.BoardStatus{
		Name:  board,
		Next:  schemas.BoardMeeting{From: metav1.NewTime(from), To: metav1.NewTime(to), TimeZone: meets.TimeZone},
		Count: len(sorted), Items: sorted[:min(len(sorted), schemas.MaxAgendaItems)],
	}, nil
}

func compareDue(a, b *metav1.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(b.Time)
}

// Format writes a meeting as people of its zone read it: "Thu 2026-11-26
// 14:00–16:00 America/New_York"; in UTC where there is no such zone.
func Format(m schemas.BoardMeeting) string {
	zone, name := time.UTC, "UTC"
	if at, err := location(m.TimeZone); err == nil {
		zone, name = at, m.TimeZone
	}
	return m.From.In(zone).Format("Mon 2006-01-02 15:04") + "–" + m.To.In(zone).Format("15:04") + " " + name
}
