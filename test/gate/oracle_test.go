package gate

import (
	"crypto/sha1" // the name of a Git blob
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
)

// The oracle: the rules of the gate once more, as small as this world allows,
// from the documented formats and not from the code under test.

// Who is who. Only what the trusted governance says counts, whatever stands on
// the branch.
const (
	pat = "pat" // opens the pull requests
	ada = "Ada" // commits to them, and holds a role
	mia = "mia" // a manager
	sen = "Sen" // a senior data scientist
	sam = "sam" // a stranger
)

var holds = map[string][]string{
	"manager":               {mia, ada},
	"senior-data-scientist": {sen, mia},
}

var seats = []string{"manager", "senior-data-scientist"}

// verdict as the status of a pull request says it.
type verdict string

const (
	passed  verdict = "success"
	waiting verdict = "pending"
	refused verdict = "failure"
	unknown verdict = "error"
)

// judgement is what the oracle says of a pull request's change to the manifest.
type judgement struct {
	verdict verdict
	// before and after are the contents that it is between; the same: no change.
	before, after string
	digest        string
	// counting are the people whose approval counts.
	counting map[string]bool
}

// judge says what a pull request amounts to over a tip, where some contents of the
// manifest stand approved.
func (w *world) judge(tip, head id, p *pull, stands map[string]bool) judgement {
	base := w.mergeBase(tip, head)
	before, after := w.at(base), w.at(head)
	j := judgement{before: before.manifest, after: after.manifest, counting: map[string]bool{}}
	j.digest = digestOf(j.before, j.after)
	platform := before.rules != after.rules
	switch {
	case before == after:
		j.verdict = passed
		return j
	case w.at(tip).rules != trustedRules:
		j.verdict = unknown
		return j
	}
	blocked := w.count(tip, head, p, &j)
	diverged := j.before != j.after && w.at(tip).manifest != j.before || platform && w.at(tip).rules != before.rules
	// Whoever brought content that nobody approved has a hand in what is made of it,
	// and who that is no commit tells for sure: it has to be taken back.
	unfounded := j.before != j.after && !stands[w.at(tip).manifest] && !stands[j.after]
	switch {
	case blocked || diverged || unfounded:
		j.verdict = refused
	case platform || !seated(j.counting, seats):
		j.verdict = waiting // nobody of this world can approve a platform file
	default:
		j.verdict = passed
	}
	if j.before == j.after && !platform {
		j.verdict = passed
	}
	return j
}

// granted reports whether a merged pull request was worth that its content may run.
func (p *pull) granted() bool {
	return p.merged && p.then.before != p.then.after && (p.then.verdict == passed || p.then.verdict == waiting && seated(maps.Clone(p.then.counting), seats))
}

// everApproved are the contents of the manifest that may have run at any time:
// which of them a controller knows of hangs on when it looked.
func (s *state) everApproved() map[string]bool {
	ever := map[string]bool{"A": true}
	for _, p := range s.pulls {
		if p.granted() {
			ever[p.then.after] = true
		}
	}
	return ever
}

// count finds whose latest opinion is an approval of this very change, and
// whether somebody with a say requests changes.
func (w *world) count(tip, head id, p *pull, j *judgement) (blocked bool) {
	makers := w.authors(tip, head)
	makers[p.author] = true
	latest := map[string]opinion{}
	for _, r := range p.reviews {
		latest[r.user] = r
	}
	for user, r := range latest {
		switch r.state {
		case "CHANGES_REQUESTED":
			blocked = blocked || user != sam && j.before != j.after // a platform file has other seats
		case "APPROVED":
			same := w.at(r.commit).manifest == j.after && w.at(w.mergeBase(tip, r.commit)).manifest == j.before
			if same && !makers[user] {
				j.counting[user] = true
			}
		}
	}
	return blocked
}

// seated says whether distinct people fill all seats, by trying.
func seated(people map[string]bool, open []string) bool {
	if len(open) == 0 {
		return true
	}
	for _, login := range holds[open[0]] {
		if !people[login] {
			continue
		}
		delete(people, login)
		rest := seated(people, open[1:])
		people[login] = true
		if rest {
			return true
		}
	}
	return false
}

// digestOf is the change digest as docs/governance.md describes it: netstrings
// under SHA-256. Every change of this world is of medium risk: the facts of A
// and B are, and of before and after the higher count.
func digestOf(before, after string) string {
	var text strings.Builder
	for _, field := range []string{"mooring.change.v1", manifestPath, "data-science", "churn", "development", blobOf(before), blobOf(after), "medium"} {
		fmt.Fprintf(&text, "%d:%s,", len(field), field)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text.String())))
}

func blobOf(manifest string) string {
	text := manifests[manifest]
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text)))
}
