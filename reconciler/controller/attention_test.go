package controller

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

func TestHintsSayWhatALookIsAbout(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		after time.Duration // since all were looked at; negative: never
		hints []Hint
		want  []int // nil: all
	}{
		{"no hint before a poll is due", time.Second, nil, []int{}},
		{"no hint just before it is", time.Minute - 1, nil, []int{}},
		{"no hint when a poll is due", time.Minute, nil, nil},
		{"no hint before the first look", -1, nil, nil},
		{"a pull request", time.Second, []Hint{{PullRequest: 7}}, []int{7}},
		{"two, one of them twice", time.Second, []Hint{{PullRequest: 7}, {PullRequest: 9}, {PullRequest: 7}}, []int{7, 9}},
		{"a push", time.Second, []Hint{{Push: true}}, []int{}},
		{"anything", time.Second, []Hint{{PullRequest: 7}, {}}, nil},
		{"a pull request before the first look", -1, []Hint{{PullRequest: 7}}, nil},
		{"a pull request when a poll is due", time.Minute, []Hint{{PullRequest: 7}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var a attention
			if test.after >= 0 {
				a.looked(repositoryKey, start, true)
			}
			for _, h := range test.hints {
				a.note(repositoryKey, h)
			}
			got := a.take(repositoryKey, start.Add(test.after), time.Minute)
			numbers := maps.Clone(got)
			delete(numbers, 0) // a push names none
			if (got == nil) != (test.want == nil) || !slices.Equal(slices.Sorted(maps.Keys(numbers)), test.want) {
				t.Errorf("the look is about %v, want %v", got, test.want)
			}
			if again := a.take(repositoryKey, start.Add(test.after), time.Minute); (again == nil) != (got == nil) || !maps.Equal(got, again) && got != nil {
				t.Errorf("a look that failed was about %v, and is about %v when it is tried again", got, again)
			}
			a.looked(repositoryKey, start, true)
			if again := a.take(repositoryKey, start, time.Minute); again == nil || len(again) > 0 {
				t.Errorf("a hint is taken twice: %v", again)
			}
		})
	}
}

// Of many open pull requests, a hint brings up the one that it is about, and
// those of which the list says that they are not as they were.
func TestAHintIsAboutOnePullRequest(t *testing.T) {
	pull := func(n int, head string) review.PullRequest {
		return review.PullRequest{Number: n, Head: source.ID(head)}
	}
	open := []review.PullRequest{pull(1, "a"), pull(2, "b"), pull(3, "c"), pull(4, "d")}
	elsewhere := []review.PullRequest{pull(5, "e")}
	rules := &review.Reviewer{Approved: map[string]source.ID{"governance.yaml": "1"}}
	for _, test := range []struct {
		name     string
		reviewer *review.Reviewer
		tip      source.ID
		open     []review.PullRequest
		hinted   map[int]bool
		want     []int
	}{
		{"a poll", rules, "tip", open, nil, []int{1, 2, 3, 4, 5}},
		{"a look about something else", rules, "tip", open, map[int]bool{}, nil},
		{"a hint", rules, "tip", open, map[int]bool{3: true}, []int{3}},
		{"a push to a head", rules, "tip", []review.PullRequest{open[0], pull(2, "b2"), open[2], open[3]}, map[int]bool{0: true}, []int{2}},
		{"a pull request that is opened", rules, "tip", append(slices.Clone(open), pull(6, "f")), map[int]bool{0: true}, []int{6}},
		{"a move of the base", rules, "tip2", open, map[int]bool{0: true}, []int{1, 2, 3, 4, 5}},
		{"other rules", &review.Reviewer{}, "tip", open, map[int]bool{3: true}, []int{1, 2, 3, 4, 5}},
		{"a hint about one that is closed", rules, "tip", open, map[int]bool{8: true}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewReviews(quiet, nil)
			defer r.queue.ShutDown()
			r.Update(repositoryKey, rules, "tip", open, elsewhere, nil, nil)
			drain(r)
			r.Update(repositoryKey, test.reviewer, test.tip, test.open, elsewhere, nil, test.hinted)
			if got := drain(r); !slices.Equal(got, test.want) {
				t.Errorf("looked at are %v, want %v", got, test.want)
			}
		})
	}
}

// drain empties the queue.
func drain(r *Reviews) (numbers []int) {
	for r.queue.Len() > 0 {
		key, _ := r.queue.Get()
		numbers = append(numbers, key.number)
		r.queue.Done(key)
	}
	slices.Sort(numbers)
	return numbers
}
