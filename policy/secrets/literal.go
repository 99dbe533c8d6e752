package secrets

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// The names of the rules that are not gitleaks'.
const (
	// RuleLiteral: a name that calls for a secret has a literal value.
	RuleLiteral = "literal-secret"
	// RuleURL: a password inside a URL.
	RuleURL = "url-password"
)

// urlPassword is scheme://user:password@host. References such as $(NAME) are
// no passwords.
var urlPassword = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@"'<>]*:([^\s@/"'<>${}()]{3,})@[\w\[]`)

func urlPasswords(content string) []hit {
	var hits []hit
	for _, at := range urlPassword.FindAllStringSubmatchIndex(content, -1) {
		hits = append(hits, hit{rule: RuleURL, values: []string{content[at[2]:at[3]]}, offset: at[2]})
	}
	return hits
}

// literals looks for values under names that call for a secret, both as
// "name: value" and as an env's pair of name and value. A file that is no YAML
// has none here; that it is no YAML is found elsewhere.
func literals(file, content string) []hit {
	switch strings.ToLower(path.Ext(file)) {
	case ".yaml", ".yml", ".json":
	default:
		return nil
	}
	var hits []hit
	decoder := yaml.NewDecoder(strings.NewReader(content))
	for {
		var doc yaml.Node
		if decoder.Decode(&doc) != nil {
			return hits
		}
		walk(&doc, func(name string, value *yaml.Node) {
			if callsForSecret(name, value.Value) {
				hits = append(hits, hit{
					rule: RuleLiteral, values: []string{value.Value}, offset: -1, line: value.Line, column: value.Column,
				})
			}
		})
	}
}

// walk visits every pair of a name and a scalar. Aliases are not followed.
func walk(n *yaml.Node, visit func(name string, value *yaml.Node)) {
	for _, child := range n.Content {
		walk(child, visit)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	var name string
	var value *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if v.Kind != yaml.ScalarNode {
			continue
		}
		visit(key.Value, v)
		switch key.Value {
		case "name":
			name = v.Value
		case "value":
			value = v
		}
	}
	if name != "" && value != nil {
		visit(name, value)
	}
}

// callsForSecret reports whether a name ends in a word for a secret and the
// value could be one: not a reference, a path, a flag or a special token of a
// language model such as "</s>".
func callsForSecret(name, value string) bool {
	words := split(name)
	if len(words) == 0 || value == "" || reference.MatchString(value) {
		return false
	}
	last := words[len(words)-1]
	if slices.Contains([]string{"password", "passwd", "passphrase", "pwd"}, last) {
		return true
	}
	const shortest = 8
	if len(value) < shortest || strings.ContainsFunc(value, notOfSecret) {
		return false
	}
	if slices.Contains([]string{"secret", "token", "apikey", "credential", "credentials"}, last) {
		return true
	}
	return last == "key" && len(words) > 1 &&
		slices.Contains([]string{"api", "access", "secret", "private", "account", "encryption", "signing", "auth", "master"}, words[len(words)-2])
}

// reference matches values that point at a secret or switch something.
var reference = regexp.MustCompile(`^(?i:\$[({A-Z_].*|\{\{.*|<.*>|/.*|\./.*|arn:.*|vault:.*|projects/.*|true|false|yes|no|on|off|null|none|~)$`)

func notOfSecret(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("<>[]{}|", r)
}

// split takes a name apart: DB_PASSWORD, db-password and dbPassword are all
// "db", "password".
func split(name string) []string {
	var b strings.Builder
	var before rune
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		before = r
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = ' '
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}
