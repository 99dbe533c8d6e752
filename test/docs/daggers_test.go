package docs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// TestTheDaggersAreWhatChangesAreWarnedOf holds the marks of the reference against
// the one list that the warnings are made from. A field above others is marked where
// all of those are.
func TestTheDaggersAreWhatChangesAreWarnedOf(t *testing.T) {
	for _, m := range tableMark.FindAllStringSubmatch(read(t, referencePath), -1) {
		unacted := review.Unacted(schemas.Kind(m[1]))
		meanings := map[string]string{}
		for _, row := range tableRow.FindAllStringSubmatch(m[0], -1) {
			meanings[row[1]] = row[2]
		}
		for field := range meanings {
			want := slices.ContainsFunc(unacted, func(path string) bool { return below(field, path) })
			if !want {
				want = hollow(field, meanings, unacted)
			}
			if marked := strings.Contains(meanings[field], "†"); marked != want {
				t.Errorf("%s, %s: a dagger: %v, and acted on: %v", m[1], field, marked, !want)
			}
		}
		for _, path := range unacted {
			if meanings[path] == "" {
				t.Errorf("%s has no field %s", m[1], path)
			}
		}
	}
}

// below reports whether a field is, or stands below, a path.
func below(field, path string) bool {
	rest, ok := strings.CutPrefix(field, path)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// hollow reports whether there are fields below one, and nothing acts on any.
func hollow(field string, meanings map[string]string, unacted []string) bool {
	some := false
	for other := range meanings {
		if other == field || !below(other, field) {
			continue
		}
		some = true
		if !slices.ContainsFunc(unacted, func(path string) bool { return below(other, path) }) {
			return false
		}
	}
	return some
}
