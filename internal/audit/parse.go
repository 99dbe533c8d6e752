package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// line is a record as it stands in the file: JSON tokens (strings with their quotes) that point
// into the line's bytes and are valid as long as those are.
type line struct {
	text                                     []byte // without the newline
	action, actor, commit, digest            []byte
	evidence, hash, key, phase, prev, reason []byte
	environment, model, repository, team     []byte
	seq                                      uint64
	time                                     time.Time
	hashAt, hashEnd                          int // where the member "hash" with its comma stands in text
}

// parseLine reads one line without its newline. It accepts exactly what encode writes and nothing
// that merely means the same: a second spelling would be a change that no hash of values sees.
func parseLine(text []byte, l *line) error {
	s := scanner{b: text}
	l.text = text
	l.action = s.member(`{"action":`)
	l.actor = s.member(`,"actor":`)
	l.commit = s.member(`,"commit":`)
	l.digest = s.member(`,"digest":`)
	s.literal(`,"evidence":`)
	l.evidence = s.object()
	l.hashAt = s.i + 1
	l.hash = s.member(`,"hash":`)
	l.hashEnd = s.i + 1
	l.key = s.member(`,"key":`)
	l.phase = s.member(`,"phase":`)
	l.prev = s.member(`,"prev":`)
	l.reason = s.member(`,"reason":`)
	s.literal(`,"seq":`)
	l.seq = s.sequence()
	l.environment = s.member(`,"subject":{"environment":`)
	l.model = s.member(`,"model":`)
	l.repository = s.member(`,"repository":`)
	l.team = s.member(`,"team":`)
	at := s.member(`},"time":`)
	s.literal(`,"v":1}`)
	if s.err == nil && s.i != len(text) {
		s.fail("nothing after the closing brace")
	}
	if s.err != nil {
		return s.err
	}
	return l.checkValues(at)
}

func (l *line) checkValues(at []byte) (err error) {
	// The length and the point leave time.Parse no second spelling to accept.
	l.time, err = time.Parse(timeLayout, unquoteRaw(at))
	if err != nil || len(at) != len(timeLayout)+2 || at[20] != '.' {
		return fmt.Errorf("time %s is not RFC 3339 in UTC with nine digits", at)
	}
	if !isHash(l.hash[1:len(l.hash)-1]) || !isHash(l.prev[1:len(l.prev)-1]) {
		return errors.New("hash and prev are not SHA-256 sums")
	}
	return nil
}

// sealed reports whether the hash in the line is the hash of the line.
func (l *line) sealed() bool {
	h := sha256.New()
	h.Write(l.text[:l.hashAt])
	h.Write(l.text[l.hashEnd:])
	var sum [sha256.Size]byte
	var want [2 * sha256.Size]byte
	hex.Encode(want[:], h.Sum(sum[:0]))
	return bytes.Equal(want[:], l.hash[1:len(l.hash)-1])
}

func (l *line) head() Head { return Head{Seq: l.seq, Hash: unquoteRaw(l.hash)} }

// record gives the line as a value of its own, independent of the line's bytes.
func (l *line) record() (Record, error) {
	evidence, err := decodeEvidence(l.evidence)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Version: Version,
		Seq:     l.seq,
		Time:    l.time,
		Entry: Entry{
			Key:    unquote(l.key),
			Phase:  Phase(unquote(l.phase)),
			Action: Action(unquote(l.action)),
			Subject: Subject{
				Repository: unquote(l.repository), Team: unquote(l.team),
				Model: unquote(l.model), Environment: unquote(l.environment),
			},
			Actor: unquote(l.actor), Commit: unquote(l.commit), Digest: unquote(l.digest),
			Reason: unquote(l.reason), Evidence: evidence,
		},
		Prev: unquoteRaw(l.prev),
		Hash: unquoteRaw(l.hash),
	}, nil
}

// unquoteRaw strips the quotes of a string token that has no escapes.
func unquoteRaw(token []byte) string { return string(token[1 : len(token)-1]) }

// unquote decodes a string token that scanner.string accepted.
func unquote(token []byte) string {
	if bytes.IndexByte(token, '\\') < 0 {
		return unquoteRaw(token)
	}
	var s string
	if err := json.Unmarshal(token, &s); err != nil {
		return unquoteRaw(token) // unreachable: the scanner accepts valid JSON only
	}
	return s
}

// scanner walks canonical JSON. After the first failure every method does nothing and err says
// where it was.
type scanner struct {
	b   []byte
	i   int
	err error
}

func (s *scanner) fail(want string) {
	if s.err == nil {
		s.err = fmt.Errorf("column %d: expected %s", s.i+1, want)
	}
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) literal(text string) {
	if s.err != nil {
		return
	}
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		s.fail(text)
		return
	}
	s.i += len(text)
}

func (s *scanner) member(prefix string) []byte {
	s.literal(prefix)
	return s.string()
}

// string scans a string in its one canonical spelling and returns it with its quotes.
func (s *scanner) string() []byte {
	if s.err != nil {
		return nil
	}
	if s.peek() != '"' {
		s.fail("a string")
		return nil
	}
	start := s.i
	for s.i++; s.i < len(s.b); {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start:s.i]
		case c == '\\':
			if !s.escape() {
				return nil
			}
		case c < ' ':
			s.fail("an escaped control character")
			return nil
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				s.fail("UTF-8")
				return nil
			}
			s.i += n
		}
	}
	s.fail("the end of a string")
	return nil
}

// escape scans one escape, if it is one that appendString writes.
func (s *scanner) escape() bool {
	rest := s.b[s.i:]
	if len(rest) >= 2 {
		switch rest[1] {
		case '"', '\\', 'b', 't', 'n', 'f', 'r':
			s.i += 2
			return true
		}
	}
	if len(rest) >= 6 && string(rest[:4]) == `\u00` {
		n, err := strconv.ParseUint(string(rest[4:6]), 16, 8)
		c := byte(n)
		if err == nil && c < ' ' && shortEscape(c) == 0 && bytes.Equal(rest[4:6], bytes.ToLower(rest[4:6])) {
			s.i += 6
			return true
		}
	}
	s.fail("a canonical escape")
	return false
}

// sequence scans an unsigned integer above zero.
func (s *scanner) sequence() uint64 {
	if s.err != nil {
		return 0
	}
	start := s.i
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.i++
	}
	n, err := strconv.ParseUint(string(s.b[start:s.i]), 10, 64)
	if err != nil || s.b[start] == '0' {
		s.i = start
		s.fail("a sequence number from 1")
	}
	return n
}

func (s *scanner) object() []byte {
	start := s.i
	if s.err == nil && s.peek() != '{' {
		s.fail("an object")
	}
	s.value(0)
	if s.err != nil {
		return nil
	}
	return s.b[start:s.i]
}

func (s *scanner) value(depth int) {
	if s.err != nil {
		return
	}
	if depth > maxDepth {
		s.fail("less nesting")
		return
	}
	switch c := s.peek(); {
	case c == '{':
		s.members(depth)
	case c == '[':
		s.elements(depth)
	case c == '"':
		s.string()
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *scanner) members(depth int) {
	s.i++
	if s.peek() == '}' {
		s.i++
		return
	}
	var last []byte
	for s.err == nil {
		key := s.string()
		if s.err == nil && last != nil && compareUTF16(unquote(last), unquote(key)) >= 0 {
			s.fail("members sorted and without duplicates")
		}
		last = key
		s.literal(":")
		s.value(depth + 1)
		if s.peek() != ',' {
			s.literal("}")
			return
		}
		s.i++
	}
}

func (s *scanner) elements(depth int) {
	s.i++
	if s.peek() == ']' {
		s.i++
		return
	}
	for s.err == nil {
		s.value(depth + 1)
		if s.peek() != ',' {
			s.literal("]")
			return
		}
		s.i++
	}
}

// number scans a number in its one canonical spelling.
func (s *scanner) number() {
	start := s.i
	for s.i < len(s.b) && isNumberByte(s.b[s.i]) {
		s.i++
	}
	text := string(s.b[start:s.i])
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || formatNumber(f) != text {
		s.i = start
		s.fail("a canonical number")
	}
}

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e'
}
