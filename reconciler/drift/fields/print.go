package fields

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxValue is the longest printed value, in characters.
const MaxValue = 256

const hidden = "(hidden)"

// credentialName matches names of variables, fields and annotations whose
// values are not shown. It errs on the side of hiding.
var credentialName = regexp.MustCompile(`(?i)pass(word|wd|phrase)?$|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key`)

// userInfo matches the credentials in a URL.
var userInfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s@"]+@`)

// Redact removes credentials from URLs in a text that is about to be shown.
func Redact(text string) string {
	return userInfo.ReplaceAllString(text, "${1}"+hidden+"@")
}

// print renders a value for people: a bare string, JSON for all else.
func (d *differ) print(v any, p place) string {
	if d.hides(p) {
		return hidden
	}
	v = hideIn(v)
	if text, ok := v.(string); ok {
		return shorten(Redact(text))
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("(unprintable: %v)", err)
	}
	return shorten(Redact(string(raw)))
}

// hides reports whether the value at p may not be shown: a Secret's content,
// or a literal whose name says that it is a credential.
func (d *differ) hides(p place) bool {
	if d.secret && !strings.HasPrefix(p.text, ".metadata.labels") {
		return true
	}
	if p.at.key == "value" && credentialName.MatchString(p.item) {
		return true
	}
	return isCredentialField(p.at.key)
}

// isCredentialField leaves references readable: secretName, secretKeyRef and
// the like name a Secret and hold none.
func isCredentialField(key string) bool {
	if strings.HasSuffix(key, "Ref") || strings.HasSuffix(key, "Name") || key == "automountServiceAccountToken" ||
		key == "secret" || key == "secrets" || strings.HasSuffix(key, "Secrets") || strings.HasSuffix(key, "Path") {
		return false
	}
	return credentialName.MatchString(key)
}

// hideIn returns v without the credentials inside it.
func hideIn(v any) any {
	switch v := v.(type) {
	case map[string]any:
		shown := make(map[string]any, len(v))
		name, _ := v["name"].(string)
		for key, child := range v {
			_, isText := child.(string)
			if isText && (isCredentialField(key) || (key == "value" && credentialName.MatchString(name))) {
				shown[key] = hidden
				continue
			}
			shown[key] = hideIn(child)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, item := range v {
			shown[i] = hideIn(item)
		}
		return shown
	}
	return v
}

func shorten(text string) string {
	if utf8.RuneCountInString(text) <= MaxValue {
		return text
	}
	return string([]rune(text)[:MaxValue-1]) + "…"
}
