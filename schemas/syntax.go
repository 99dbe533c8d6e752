package schemas

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// syntaxFault is what is known of one message of the YAML library. Its lines need
// that: it tells where what it was reading begins, unless that is the first line,
// for which it tells where it stopped; and the parser counts lines from 0, the
// scanner beneath it from 1.
type syntaxFault struct {
	parser bool
	// inside is what was being read, if that helps.
	inside string
	// open: it is not closed, so what to mend is mostly where it begins.
	open   bool
	remedy string
}

const (
	noTabs     = "a tab: indent with spaces"
	quoteStart = "quote a text that begins like this"

	noToken           = "found character that cannot start any token"
	controlCharacters = "control characters are not allowed"
)

var syntaxFaults = map[string]syntaxFault{
	"did not find expected ',' or '}'": {true, "the mapping in braces", true, "close it with }, and put commas between its entries"},
	"did not find expected ',' or ']'": {true, "the list in brackets", true, "close it with ], and put commas between its entries"},
	"did not find expected key":        {true, "the block", false, "indent the line as the block is, and quote texts that hold signs of YAML"},
	"did not find expected '-' indicator": {true, "the list", false,
		"begin the line with - to go on with the list, or indent it less to end it"},
	"did not find expected node content":                           {true, "", false, quoteStart},
	"did not find expected <document start>":                       {true, "", false, "indent the line as those before it"},
	"found unexpected end of stream":                               {false, "the text in quotes", true, "close the quotes"},
	"found unexpected document indicator":                          {false, "the text in quotes", true, "close the quotes"},
	"could not find expected ':'":                                  {false, "", true, "write it as a key with a colon and a space, or indent it as part of the text above"},
	"mapping values are not allowed in this context":               {false, "", false, "indent the key as those beside it, and quote a text that holds a colon and a space"},
	"found a tab character that violates indentation":              {false, "", false, noTabs},
	"found a tab character where an indentation space is expected": {false, "", false, noTabs},
	noToken:                          {false, "", false, quoteStart},
	controlCharacters:                {false, "", false, "remove the character"},
	"found unknown escape character": {false, "", false, "double the backslash, or write the text in single quotes"},
}

var (
	yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	quotedPart    = regexp.MustCompile("'[^']*'|\"[^\"]*\"|`[^`]*`")
	// parserToken is a quoted part that is a word of the parser's own: one sign.
	parserToken = regexp.MustCompile(`^'[^\w\s]'$`)
	tabIndents  = regexp.MustCompile("^[ ?-]*\t[ \t]*[^ \t@`%]")
)

// syntax turns the library's error into a finding. What it quotes of the file,
// which may be a secret, is left out of the message.
func (r *report) syntax(err error, content []byte) {
	text, line := splitError(err)
	if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		r.at(placeAt(content, bytes.Index(content, []byte("*"+name))), "", CodeAlias, "YAML aliases are not allowed", "write the value out, or quote a text that begins with *")
		return
	}
	fault, known := syntaxFaults[text]
	if !known {
		fault.remedy = "check indentation, colons and quotes around here"
	}
	begin, stop := fault.lines(text, line, content)
	at := Position{stop, 1}
	where := ""
	switch {
	case fault.open && !goesOn(lineOf(content, begin)):
		at.Line = begin
		if fault.inside != "" {
			where = upTo(content, begin, stop) + ", in " + fault.inside + " that begins here"
		}
	case fault.inside != "" && begin != stop:
		where = fmt.Sprintf(", in %s that begins on line %d", fault.inside, begin)
	}
	switch stopped := lineOf(content, at.Line); {
	case text == controlCharacters:
		at = placeAt(content, bytes.IndexFunc(content, isControl))
	case text == noToken && tabIndents.Match(stopped), fault.remedy == noTabs:
		fault.remedy = noTabs
		at.Column = utf8.RuneCount(stopped[:max(0, bytes.IndexByte(stopped, '\t'))]) + 1
	}
	r.at(at, "", CodeSyntax, "not valid YAML: "+masked(text)+where, fault.remedy)
}

// splitError takes the library's line, 0 where it tells none, off its message.
func splitError(err error) (text string, line int) {
	text = err.Error()
	if m := yamlErrorLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		line, _ = strconv.Atoi(m[1]) // digits, or nothing
	}
	return text, line
}

// masked leaves out what the message quotes, unless it is a sign of YAML.
func masked(text string) string {
	return quotedPart.ReplaceAllStringFunc(text, func(quoted string) string {
		if parserToken.MatchString(quoted) {
			return quoted
		}
		return "(...)"
	})
}

// lines are where the thing begins that could not be read, and where reading
// stopped; the same where the library does not tell them apart for certain.
// Which of the two it tells depends on whether the thing begins on the first line,
// so the file is parsed again with a line before it, and from that line on.
func (f syntaxFault) lines(text string, line int, content []byte) (begin, stop int) {
	last := bytes.Count(content, []byte("\n")) + 1
	inFile := func(line int) int { return max(1, min(line, last)) }
	if !f.parser {
		line--
	}
	begin = inFile(line + 1)
	again := func(content []byte) int {
		_, _, err := parseYAML(content)
		if err == nil {
			return -1
		}
		same, line := splitError(err)
		switch {
		case same != text:
			return -1
		case !f.parser && line > 0:
			line--
		}
		return line
	}
	shifted := again(append([]byte("\n"), content...))
	if shifted < 1 {
		return begin, begin
	}
	begin = inFile(shifted)
	rest := content[lineStart(content, begin):]
	after := again(rest)
	if after < 0 || again(append([]byte("\n"), rest...)) != 1 {
		return begin, begin
	}
	return begin, inFile(begin + after)
}

// goesOn reports whether a line of a mapping or list in brackets was left open on
// purpose, so that what is wrong with it may be further down.
func goesOn(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) > 0 && bytes.IndexByte([]byte("{[,"), line[len(line)-1]) >= 0
}

// upTo says how far the end of something was looked for.
func upTo(content []byte, begin, stop int) string {
	switch {
	case len(bytes.TrimSpace(content[lineStart(content, stop):])) == 0:
		return " up to the end of the file"
	case begin == stop:
		return ""
	}
	return fmt.Sprintf(" up to line %d", stop)
}

// isControl is what the library refuses to read.
func isControl(char rune) bool {
	return char < ' ' && char != '\t' && char != '\n' && char != '\r' || 0x7f <= char && char < 0xa0 || char == 0xfffe || char == 0xffff
}

// placeAt is the position of an offset, which may be -1 for the start.
func placeAt(content []byte, offset int) Position {
	offset = max(0, offset)
	start := bytes.LastIndexByte(content[:offset], '\n') + 1
	return Position{bytes.Count(content[:offset], []byte("\n")) + 1, utf8.RuneCount(content[start:offset]) + 1}
}

// lineStart is where a line begins; the end of the content if it has no such line.
func lineStart(content []byte, line int) int {
	at := 0
	for ; line > 1; line-- {
		i := bytes.IndexByte(content[at:], '\n')
		if i < 0 {
			return len(content)
		}
		at += i + 1
	}
	return at
}

// lineOf is the text of a line.
func lineOf(content []byte, line int) []byte {
	text, _, _ := bytes.Cut(content[lineStart(content, line):], []byte("\n"))
	return text
}
