package compliance

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// forbidden are the built-ins that would let a rule see more than its input, by
// name or (ending in a dot) by the beginning of it, with what to do instead.
func forbidden() map[string]string {
	const given = "rules decide on their input alone; use what is in it"
	return map[string]string{
		"http.send":   given,
		"net.":        given,
		"opa.runtime": given,
		// Both follow references of a schema to the network and the disk.
		"json.match_schema":  "check the fields that matter one by one",
		"json.verify_schema": "check the fields that matter one by one",
		"rego.parse_module":  given,
		"providers.":         given,
		// Verification depends on the machine's clock and its root certificates.
		"io.jwt.": given,
		"crypto.x509.parse_and_verify_certificates":              given,
		"crypto.x509.parse_and_verify_certificates_with_options": given,
		// The same change must be judged the same at the same time.
		"time.now_ns":  "use time.parse_rfc3339_ns(input.now), the time of judging",
		"rand.intn":    "the same change must always be judged the same",
		"uuid.rfc4122": "the same change must always be judged the same",
		"trace":        "leave it out; it has no effect here",
	}
}

// whyForbidden says what to do instead of a forbidden built-in.
func whyForbidden(builtin string) (remedy string, isForbidden bool) {
	for name, remedy := range forbidden() {
		if builtin == name || strings.HasSuffix(name, ".") && strings.HasPrefix(builtin, name) {
			return remedy, true
		}
	}
	return "", false
}

// capabilities are OPA's without what is forbidden, and with no host that a
// schema could be fetched from.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		_, no := whyForbidden(b.Name)
		return no || b.Nondeterministic
	})
	c.AllowNet = []string{}
	return c
}

// Available reports whether rules may call a built-in of OPA.
func Available(builtin string) bool {
	return slices.ContainsFunc(capabilities().Builtins, func(b *ast.Builtin) bool { return b.Name == builtin })
}
