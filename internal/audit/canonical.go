package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep evidence may nest.
const maxDepth = 64

// encode appends the line of r (with its newline) to dst and returns it with the record's hash.
// evidence is r's, already canonical. The members come in the order RFC 8785 asks for; parseLine
// reads exactly this.
func encode(dst []byte, r *Record, evidence []byte) ([]byte, string) {
	start := len(dst)
	b := appendMember(dst, `{"action":`, string(r.Action))
	b = appendMember(b, `,"actor":`, r.Actor)
	b = appendMember(b, `,"commit":`, r.Commit)
	b = appendMember(b, `,"digest":`, r.Digest)
	b = append(b, `,"evidence":`...)
	b = append(b, evidence...)
	b = append(b, ',')
	cut := len(b)
	b = appendMember(b, `"key":`, r.Key)
	b = appendMember(b, `,"phase":`, string(r.Phase))
	b = appendMember(b, `,"prev":`, r.Prev)
	b = appendMember(b, `,"reason":`, r.Reason)
	b = append(b, `,"seq":`...)
	b = strconv.AppendUint(b, r.Seq, 10)
	b = appendMember(b, `,"subject":{"environment":`, r.Subject.Environment)
	b = appendMember(b, `,"model":`, r.Subject.Model)
	b = appendMember(b, `,"repository":`, r.Subject.Repository)
	b = appendMember(b, `,"team":`, r.Subject.Team)
	b = appendMember(b, `},"time":`, r.Time.Format(timeLayout))
	b = append(b, `,"v":1}`...)

	sum := sha256.Sum256(b[start:])
	hash := hex.EncodeToString(sum[:])
	b = slices.Insert(b, cut, []byte(`"hash":"`+hash+`",`)...)
	return append(b, '\n'), hash
}

func appendMember(b []byte, prefix, value string) []byte {
	return appendString(append(b, prefix...), value)
}

// canonicalEvidence encodes evidence after redacting it. nil gives {}.
func canonicalEvidence(evidence map[string]any) ([]byte, error) {
	if len(evidence) == 0 {
		return []byte("{}"), nil
	}
	// Through encoding/json first, so that redaction sees struct fields by the names they are
	// written under.
	text, err := json.Marshal(evidence)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	tree, err := decodeEvidence(text)
	if err != nil {
		return nil, err
	}
	b, err := appendValue(nil, redactValue(tree), 0)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxEvidence {
		return nil, fmt.Errorf("%w: %d bytes of JSON, the limit is %d; keep large evidence elsewhere and record its digest",
			ErrTooLarge, len(b), MaxEvidence)
	}
	return b, nil
}

// decodeEvidence reads a JSON object; {} gives nil. Numbers become json.Number.
func decodeEvidence(text []byte) (map[string]any, error) {
	if string(text) == "{}" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return tree, nil
}

// appendValue appends v, as decodeEvidence yields it, in RFC 8785 form.
func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		return appendNumber(b, string(v))
	case []any:
		return appendArray(b, v, depth)
	case map[string]any:
		return appendObject(b, v, depth)
	}
	return nil, fmt.Errorf("%w: cannot encode %T", ErrInvalid, v)
}

func appendArray(b []byte, list []any, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v, depth+1); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, m map[string]any, depth int) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareUTF16)
	b = append(b, '{')
	var err error
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		if b, err = appendValue(b, m[k], depth+1); err != nil {
			return nil, fmt.Errorf("%q: %w", k, err)
		}
	}
	return append(b, '}'), nil
}

// appendString appends s as RFC 8785 section 3.2.2.2 spells it.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if short := shortEscape(c); short != 0 {
			b = append(b, '\\', short)
		} else {
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// shortEscape gives the letter after the backslash for a byte that has a two-character escape, or 0.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\t':
		return 't'
	case '\n':
		return 'n'
	case '\f':
		return 'f'
	case '\r':
		return 'r'
	}
	return 0
}

// appendNumber appends a JSON number as ECMAScript prints the double of that value. An integer
// literal that would come out different is refused: it would not be what the caller said.
func appendNumber(b []byte, literal string) ([]byte, error) {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, fmt.Errorf("%w: number %s is out of range", ErrInvalid, literal)
	}
	text := formatNumber(f)
	if !strings.ContainsAny(literal, ".eE") && literal != text && literal != "-0" {
		return nil, fmt.Errorf("%w: integer %s has no exact double; pass it as a string", ErrInvalid, literal)
	}
	return append(b, text...), nil
}

// formatNumber is ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 prescribes.
func formatNumber(f float64) string {
	if f == 0 {
		return "0" // also for -0
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go pads the exponent to two digits, ECMAScript does not.
	if n := len(s); s[n-2] == '0' && (s[n-3] == '-' || s[n-3] == '+') {
		s = s[:n-2] + s[n-1:]
	}
	return s
}

// compareUTF16 orders strings by their UTF-16 code units, as RFC 8785 section 3.2.3 sorts members.
// It differs from byte order where a character beyond U+FFFF meets one from U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			if (ra > 0xFFFF) != (rb > 0xFFFF) {
				return int(firstUnit(ra)) - int(firstUnit(rb))
			}
			return int(ra) - int(rb)
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

func firstUnit(r rune) rune {
	if r > 0xFFFF {
		return 0xD800 + (r-0x10000)>>10
	}
	return r
}
