package review

import (
	"regexp"
	"strings"
	"unicode"
)

// joiner is a character of no width that keeps a mention, the number of an issue
// or an advisory, a commit's id or an address from becoming a link.
const joiner = "\u200d"

// escape makes text of users harmless in a line of Markdown: no mention, no
// link, no formatting, no HTML, no new line.
func escape(s string) string {
	line := neutral(s, func(r rune) string {
		if strings.ContainsRune("\\`*_[]()~|!<>&#$", r) {
			return `\` + string(r)
		}
		return string(r)
	})
	return marker.ReplaceAllString(line, `${1}\${2}`)
}

// marker at the beginning of a line makes it an item of a list, or a rule.
var marker = regexp.MustCompile(`^([0-9]*)([-+=.])`)

// code is a name in a code span, in which GitHub links and notifies nobody.
func code(s string) string {
	return "`" + strings.ReplaceAll(printable(strings.Join(strings.Fields(s), " ")), "`", "'") + "`"
}

// escapeHTML does the same for text inside an HTML element, where Markdown's
// backslashes would be shown.
func escapeHTML(s string) string {
	return neutral(s, func(r rune) string {
		switch r {
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		case '&':
			return "&amp;"
		case '"':
			return "&quot;"
		}
		return string(r)
	})
}

// neutral writes one line, each character by write, and breaks what GitHub turns
// into links wherever it stands.
func neutral(s string, write func(rune) string) string {
	var b strings.Builder
	for _, r := range printable(strings.Join(strings.Fields(s), " ")) {
		b.WriteString(write(r))
		if r == '@' || r == '#' {
			b.WriteString(joiner)
		}
	}
	line := address.ReplaceAllString(b.String(), "${1}${3}"+joiner+"${2}${4}")
	line = reference.ReplaceAllString(line, "${1}${2}"+joiner+"-")
	return word.ReplaceAllStringFunc(line, breakCommit)
}

// address is what GitHub makes a link of by its beginning.
var address = regexp.MustCompile(`(?i)(www)(\.)|(:)(//)`)

// reference is what GitHub links by a prefix, as far as the number: an issue
// (GH-12), an advisory (GHSA-…), a vulnerability (CVE-…).
var reference = regexp.MustCompile(`(?i)(\b|_)(gh|ghsa|cve)-`)

var (
	word     = regexp.MustCompile(`[0-9A-Za-z]+`)
	commitID = regexp.MustCompile(`^[0-9A-Fa-f]{7,40}$`)
	// unlinked are as many digits as name no commit.
	unlinked = regexp.MustCompile(`.{6}`)
)

// breakCommit breaks what may be the id of a commit. GitHub links those alone
// that it has, of seven digits at least, so no part may be as long.
func breakCommit(word string) string {
	if !commitID.MatchString(word) {
		return word
	}
	return strings.TrimSuffix(unlinked.ReplaceAllString(word, "${0}"+joiner), joiner)
}

// printable replaces what a terminal or a page would obey rather than show:
// control characters, and those that turn the direction of the text around.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r <= '~', r == '\n', r == '\t': // almost all of it
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// fenced puts text into a code block whose fence is longer than any run of
// backticks inside, so that nothing in it can end the block.
func fenced(language, text string) string {
	text = printable(text)
	longest, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", max(3, longest+1))
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return fence + language + "\n" + text + fence + "\n\n"
}

// cut shortens text to a number of characters, with an ellipsis.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
