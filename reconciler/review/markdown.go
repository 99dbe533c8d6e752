package review

import (
	"html"
	"strings"
)

// escape makes text of users harmless in Markdown: no mention, no link, no
// formatting, no HTML, no new line.
func escape(s string) string {
	s = html.EscapeString(strings.Join(strings.Fields(s), " "))
	var b strings.Builder
	for _, r := range s {
		switch r {
		case '@', '#':
			// A zero-width joiner keeps a mention or an issue number from linking.
			b.WriteRune(r)
			b.WriteString("\u200d")
		case '\\', '`', '*', '_', '[', ']', '(', ')', '~', '|', '!', '<', '>':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "://", ":\u200d//")
}

// fenced puts text into a code block whose fence is longer than any run of
// backticks inside, so that nothing in it can end the block.
func fenced(language, text string) string {
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
