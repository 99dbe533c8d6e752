package audit

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Redacted stands in a record where a secret stood.
//
// Redacted are: the whole value of a member whose name contains one of sensitiveNames (in any
// case, dashes and underscores aside); in an object that carries such a name as a value, as
// {"name": "DB_PASSWORD", "value": …} and {"path": "…/token", "before": …, "after": …} do, the
// members in carriedValues; and in every string, the shapes in secretShapes. It errs on the side
// of redacting: "secretRef" goes too. What cannot be a secret stays, for auditors need it: what a
// record of a file says, for a folder may be named models/x/token, and a yes or no.
const Redacted = "[redacted]"

var sensitiveNames = []string{
	"token", "password", "passwd", "passphrase", "secret", "authorization", "privatekey",
	"apikey", "accesskey", "credential", "cookie", "bearer",
}

// naming are the members that name what their neighbours hold.
var naming = []string{"name", "key", "path", "field", "header"}

// carriedValues are the members that hold what a neighbour names.
var carriedValues = map[string]bool{
	"value": true, "values": true, "before": true, "after": true, "old": true, "new": true,
	"from": true, "to": true, "desired": true, "live": true, "want": true, "got": true, "data": true,
}

// secretShapes are looked for in every string; a string without the hint cannot match, which spares
// most strings the expression.
var secretShapes = []struct {
	hint  string
	shape *regexp.Regexp
}{
	{"PRIVATE KEY", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)},
	{"_", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})`)},
	{"glpat-", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{16,}`)},
	{"AKIA", regexp.MustCompile(`\bAKIA[0-9A-Z]{16}\b`)},
	{"ASIA", regexp.MustCompile(`\bASIA[0-9A-Z]{16}\b`)},
	{"xox", regexp.MustCompile(`\bxox[abeprs]-[A-Za-z0-9-]{10,}`)},
	{".eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)}, // JSON Web Token
	{" ", regexp.MustCompile(`(?i)\b(?:bearer|basic) +[A-Za-z0-9._~+/=-]{16,}`)},
	{"=", regexp.MustCompile(`(?i)[\w.-]*(?:token|password|passwd|secret|api[_-]?key|access[_-]?key)[\w.-]*=[^\s&"]+`)},
	{"://", regexp.MustCompile(`(//)[^/\s@:]*:[^/\s@]+(@)`)}, // user and password in a URL
}

func redactText(s string) string {
	for _, secret := range secretShapes {
		if strings.Contains(s, secret.hint) {
			s = secret.shape.ReplaceAllString(s, "${1}"+Redacted+"${2}") // the groups, where there are any, stay
		}
	}
	return s
}

// redactValue returns v, as decodeEvidence yields it, without secrets. It changes v in place.
func redactValue(v any) any {
	switch v := v.(type) {
	case string:
		return redactText(v)
	case []any:
		for i := range v {
			v[i] = redactValue(v[i])
		}
	case map[string]any:
		named, file := namesSecret(v), isFile(v)
		for k := range v {
			if isSensitive(k) || named && carriedValues[strings.ToLower(k)] && !harmlessValue(v[k], file) {
				v[k] = Redacted
			} else {
				v[k] = redactValue(v[k])
			}
		}
	}
	return v
}

func namesSecret(m map[string]any) bool {
	for k, v := range m {
		for _, n := range naming {
			if s, ok := v.(string); ok && strings.EqualFold(k, n) && isSensitive(s) {
				return true
			}
		}
	}
	return false
}

// objectID is what Git calls an object by.
var objectID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// isFile reports whether an object tells of a file of the repository, as an approval does: its path is
// the name of a folder and no field's, and what it was before is told by its id.
func isFile(m map[string]any) bool {
	_, ok := m["path"].(string)
	return ok && (isObjectID(m["blob"]) || isObjectID(m["commit"]))
}

func isObjectID(v any) bool {
	id, ok := v.(string)
	return ok && objectID.MatchString(id)
}

// harmlessValue reports whether a value is none to hide whatever its neighbour names.
func harmlessValue(v any, ofFile bool) bool {
	switch v {
	case nil, true, false, "", "true", "false":
		return true
	}
	return ofFile && isObjectID(v)
}

// sameEvidence reports whether an entry says what is on record. What either of them redacts is not
// compared: another version, which redacts otherwise, may have written the record and been killed
// before it did what the record says, and the one after it must be able to go on.
func sameEvidence(recorded, mine []byte) bool {
	if bytes.Equal(recorded, mine) {
		return true
	}
	a, err := decodeEvidence(recorded)
	if err != nil {
		return false
	}
	b, err := decodeEvidence(mine)
	return err == nil && sameValue(a, b)
}

func sameValue(a, b any) bool {
	if a == Redacted || b == Redacted {
		return true
	}
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, has := b[k]; !has || !sameValue(v, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	}
	return a == b
}

func isSensitive(name string) bool {
	bare := strings.Map(func(r rune) rune {
		switch r {
		case '-', '_', '.', ' ':
			return -1
		}
		return r
	}, strings.ToLower(name))
	for _, s := range sensitiveNames {
		if strings.Contains(bare, s) {
			return true
		}
	}
	return false
}
