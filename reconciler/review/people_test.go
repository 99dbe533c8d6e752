package review

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-platform/mooring/policy/approval"
)

func TestAReviewsFileMayTellIDs(t *testing.T) {
	p, err := ReadPeople(strings.NewReader(`{
		"author": "1+ann", "committers": ["ann", "2+bob"], "coAuthors": [], "teams": {"acme/legal": ["3+cat"]},
		"reviews": [
			{"user": "cat", "user_id": 3, "state": "APPROVED"},
			{"user": "4+dan", "state": "APPROVED"},
			{"user": "5+eve", "user_id": 5, "state": "APPROVED"},
			{"user": "fay", "state": "approved"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	reviews, err := p.reviews()
	if err != nil {
		t.Fatal(err)
	}
	var users []approval.Account
	for _, r := range reviews {
		users = append(users, r.User)
	}
	want := []approval.Account{{Login: "cat", ID: 3}, {Login: "dan", ID: 4}, {Login: "eve", ID: 5}, {Login: "fay"}}
	if diff := cmp.Diff(want, users); diff != "" {
		t.Error(diff)
	}
	if p.Author.ID != 1 || p.Committers[0].ID != 0 || p.Committers[1].ID != 2 || p.Teams["acme/legal"][0].ID != 3 {
		t.Errorf("%+v", p)
	}
	for name, text := range map[string]string{
		"an id of nobody":           `{"author": "0+ann"}`,
		"a reviewer's id of nobody": `{"author": "ann", "reviews": [{"user": "0+bob"}]}`,
		"two ids of one reviewer":   `{"author": "ann", "reviews": [{"user": "1+bob", "user_id": 2}]}`,
	} {
		if _, err := ReadPeople(strings.NewReader(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestAReviewsFileThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, says string }{
		"nothing":          {"", "not one JSON object"},
		"null":             {"null", "not one JSON object"},
		"a list":           {"[]", "not one JSON object"},
		"a field twice":    {`{"author": "a", "committers": ["b"], "committers": []}`, `has the field "committers" twice`},
		"an unknown field": {`{"commiters": []}`, `unknown field "commiters"`},
		"something behind": {`{"author": "a"} {}`, "not valid"},
		"an unknown state": {
			`{"author": "a", "reviews": [{"user": "bob", "state": "approve"}]}`,
			`the review by "bob" has the unknown state "approve"; known are APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED, PENDING`,
		},
		"no state":          {`{"author": "a", "reviews": [{"user": "bob"}]}`, `the unknown state ""`},
		"half of an object": {`{"author": "a",`, "not one JSON object"},
		"a very large file": {`{"author": "` + strings.Repeat("a", maxPeople) + `"}`, "larger than 8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadPeople(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
		})
	}
}
