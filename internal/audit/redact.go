package audit

import (
	"regexp"
	"strings"
)

// Redacted stands in a record where a secret stood.
//
// Redacted are: the whole value of a member whose name contains one of sensitiveNames (in any
// case, dashes and underscores aside); in an object that carries such a name as a value, as
// {"name": "DB_PASSWORD", "value": …} and {"path": "…/token", "before": …, "after": …} do, the
// members in carriedValues; and in every string, the shapes in secretShapes. It errs on the side
// of redacting: "secretRef" goes too.
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
		named := namesSecret(v)
		for k := range v {
			if isSensitive(k) || named && carriedValues[strings.ToLower(k)] {
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
