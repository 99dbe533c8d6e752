package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// readTree turns a file's bytes into the node of its one document, or says what
// is wrong with the file as a whole. It is the only caller of the YAML library.
func readTree(file string, content []byte) (*yaml.Node, Findings) {
	r := &report{file: file}
	r.checkBytes(content)
	if r.findings.Failed() {
		return nil, r.findings
	}
	if line := directiveLine(content); line > 0 {
		r.at(Position{line, 1}, "", CodeDirective, "YAML directives are not allowed", "remove the line that begins with %")
		return nil, r.findings
	}
	root, second, err := parseYAML(content)
	switch {
	case errors.Is(err, io.EOF), err == nil && emptyDocument(root) && second == nil:
		r.at(Position{1, 1}, "", CodeEmptyFile, "the file is empty", "write the document or remove the file")
	case err != nil:
		r.syntax(err, content)
	case second != nil:
		r.at(nodePosition(second), "", CodeSeveralDocuments, "the file holds more than one document",
			"keep one document in a file")
	}
	if r.findings.Failed() {
		return nil, r.findings
	}
	return root.Content[0], nil
}

// checkBytes refuses what must not even be parsed. The line breaks that only
// YAML 1.1 knows (NEL, LS, PS) would let a file show one text to a reviewer and
// another to a parser.
func (r *report) checkBytes(content []byte) {
	if len(content) > MaxFileBytes {
		r.at(Position{}, "", CodeTooLarge,
			fmt.Sprintf("the file has %d bytes, more than the %d allowed", len(content), MaxFileBytes), "split or shorten it")
		return
	}
	if bytes.HasPrefix(content, []byte("\xef\xbb\xbf")) {
		r.at(Position{1, 1}, "", CodeEncoding, "the file begins with a byte order mark", "save it as UTF-8 without BOM")
		return
	}
	line, start := 1, 0
	for i := 0; i < len(content); {
		c := content[i]
		if c >= ' ' && c < utf8.RuneSelf-1 {
			i++
			continue
		}
		char, size := utf8.DecodeRune(content[i:])
		if what := forbidden(char, size); what != "" {
			r.at(Position{line, utf8.RuneCount(content[start:i]) + 1}, "", CodeEncoding,
				"the file holds "+what, "save it as plain UTF-8 text")
			return
		}
		i += size
		if char == '\n' || char == '\r' && (i == len(content) || content[i] != '\n') {
			line, start = line+1, i
		}
	}
}

// forbidden names a character that no file may hold, or is empty.
func forbidden(char rune, size int) string {
	switch {
	case char == utf8.RuneError && size == 1:
		return "bytes that are not UTF-8"
	case char == 0:
		return "a NUL character"
	case char == '\u0085':
		return "the line break NEL (U+0085)"
	case char == '\u2028':
		return "the line separator U+2028"
	case char == '\u2029':
		return "the paragraph separator U+2029"
	case char == '\ufeff':
		return "a byte order mark"
	}
	return ""
}

// directiveLine is the line of a directive, or 0. Directives stand before the
// document, so only comments and blank lines may precede one.
func directiveLine(content []byte) int {
	line := 0
	for text := range bytes.Lines(content) {
		line++
		if text[0] == '%' {
			return line
		}
		if rest := bytes.TrimSpace(text); len(rest) > 0 && rest[0] != '#' {
			return 0
		}
	}
	return 0
}

// jsonEscape is an escape that JSON has and the YAML library has not: \/ and a
// character beyond U+FFFF in two halves. Backslashes before it may escape it.
var jsonEscape = regexp.MustCompile(`\\*\\(/|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})`)

// fromJSON rewrites those escapes of a JSON file as YAML's. Other YAML is left
// as it is: only in JSON is every such text an escape.
func fromJSON(content []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) || !jsonEscape.Match(content) || !json.Valid(content) {
		return content
	}
	return jsonEscape.ReplaceAllFunc(content, func(escape []byte) []byte {
		slashes := bytes.IndexFunc(escape, func(r rune) bool { return r != '\\' })
		if slashes%2 == 0 {
			return escape // the backslash is itself escaped
		}
		before, code := escape[:slashes-1:slashes-1], escape[slashes:]
		if code[0] == '/' {
			return append(before, '/')
		}
		high, errHigh := strconv.ParseUint(string(code[1:5]), 16, 32)
		low, errLow := strconv.ParseUint(string(code[7:]), 16, 32)
		if errHigh != nil || errLow != nil {
			return escape
		}
		return fmt.Appendf(before, `\U%08X`, utf16.DecodeRune(rune(high), rune(low)))
	})
}

// parseYAML reads the first document and looks for a second. The library
// reports some malformed input by panicking; that is a syntax error like any.
func parseYAML(content []byte) (first, second *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			first, second, err = nil, nil, errors.New("yaml: line 1: the YAML parser could not make sense of the file")
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(content))
	first, second = new(yaml.Node), new(yaml.Node)
	if err := d.Decode(first); err != nil {
		return nil, nil, err
	}
	switch err := d.Decode(second); {
	case errors.Is(err, io.EOF):
		return first, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return first, second, nil
}

// emptyDocument is a document of nothing, as "---" alone makes one.
func emptyDocument(doc *yaml.Node) bool {
	return len(doc.Content) == 0 ||
		doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null" && doc.Content[0].Value == ""
}
