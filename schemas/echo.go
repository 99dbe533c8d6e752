package schemas

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

// maxEcho is how long a value may be to be repeated in a message.
const maxEcho = 48

// secretShapes are the beginnings of well-known credentials and words that
// announce one.
var secretShapes = regexp.MustCompile(`(?i)(akia|asia)[0-9a-z]{4}|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|sk[-_]|pk_live|rk_live|-----begin|eyj[0-9a-z]{4}|aiza|ya29\.|npm_|pypi-|hf_[a-z]{8}|dapi[0-9a-f]{8}|://[^/]*@|passw|passphrase|pwd|secret|token|api[-_]?key|credential|bearer`)

// echo quotes a value of a file for a message, unless it could be a secret: then
// it says so instead. It is the only way by which a value reaches a finding.
func echo(value string) string {
	if looksSecret(value) {
		return "the value here (not shown)"
	}
	return `"` + value + `"`
}

// looksSecret errs on the side of silence: what is long, has odd characters,
// begins like a credential or looks drawn at random is not repeated.
func looksSecret(value string) bool {
	if len(value) > maxEcho || secretShapes.MatchString(value) {
		return true
	}
	var lower, upper, digits int
	for _, r := range value {
		switch {
		case r >= 'a' && r <= 'z':
			lower++
		case r >= 'A' && r <= 'Z':
			upper++
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune(" ._/:%@{}#-", r):
		default:
			return true
		}
	}
	switch {
	case len(value) >= 16 && lower > 0 && upper > 0 && digits > 0:
		return true
	case len(value) >= 20 && digits*4 >= len(value):
		return true
	case len(value) >= 20 && longestRun(value) >= 20 && entropy(value) > 3.6:
		return true
	}
	return false
}

// longestRun is the length of the longest run of letters and digits: words and
// names have separators, tokens have none.
func longestRun(s string) int {
	longest := 0
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ._/:%@{}#-", r) }) {
		longest = max(longest, len(run))
	}
	return longest
}

// entropy is Shannon's, in bits for each byte.
func entropy(s string) float64 {
	var counts [256]float64
	for i := range len(s) {
		counts[s[i]]++
	}
	h := 0.0
	for _, c := range counts {
		if c > 0 {
			p := c / float64(len(s))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// suggest is a remedy that names the known value nearest to what was written,
// or all known ones where none is near and they are few.
func suggest(written string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	best, distance := "", min(len(written)/3+2, max(2, len(written)-1)) // most of a short word has to be right
	for _, k := range known {
		if strings.EqualFold(k, written) {
			return `did you mean "` + k + `"?`
		}
		if d := editDistance(strings.ToLower(written), strings.ToLower(k)); d < distance && !otherProcessor(written, k) {
			best, distance = k, d
		}
	}
	const few = 16
	switch {
	case best != "":
		return `did you mean "` + best + `"?`
	case len(known) == 0:
		return "none is defined"
	case len(known) <= few:
		return "known are " + strings.Join(known, ", ")
	}
	return "known are " + strings.Join(known[:few], ", ") + ", ..."
}

// orElse adds what to do if a suggestion is not what was meant.
func orElse(suggestion, otherwise string) string {
	if strings.HasSuffix(suggestion, "?") {
		return suggestion + " if not, " + otherwise
	}
	return suggestion + "; " + otherwise
}

// otherProcessor reports that one word is about GPUs and the other about CPUs: a
// letter apart, and never a slip for each other.
func otherProcessor(a, b string) bool {
	about := func(s, what string) bool { return strings.Contains(strings.ToLower(s), what) }
	return about(a, "gpu") && about(b, "cpu") && !about(b, "gpu") || about(a, "cpu") && about(b, "gpu") && !about(b, "cpu")
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours (the restricted Damerau-Levenshtein distance). Words too long to
// be a typing slip are simply far apart.
func editDistance(a, b string) int {
	const tooLong = 64
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	var rows [3][tooLong + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
