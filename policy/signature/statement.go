package signature

import (
	"fmt"
	"strings"
)

// Statement is what a signature is about.
type Statement struct {
	// Name and Version of the registered model.
	Name, Version string
	// URI is where the artefact is fetched from, as resolved.
	URI string
	// Digest of the artefact (sha256:…), or empty where none is declared.
	Digest string
}

// header names the form of the lines that follow. Another form is another header,
// so that no signature is ever good for bytes of another meaning.
const header = "mooring model statement v1"

// Bytes are what is signed: UTF-8, each line ended by a single line feed.
//
//	mooring model statement v1
//	name: NAME
//	version: VERSION
//	uri: URI
//	digest: sha256:… (or none)
//
// It errs where a field is missing or has a character that could be taken for the
// form itself.
func (s Statement) Bytes() ([]byte, error) {
	digest := s.Digest
	if digest == "" {
		digest = "none"
	}
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, line := range []struct{ name, value string }{
		{"name", s.Name}, {"version", s.Version}, {"uri", s.URI}, {"digest", digest},
	} {
		if line.value == "" {
			return nil, fmt.Errorf("the %s is not known, so there is nothing definite to sign", line.name)
		}
		if strings.ContainsFunc(line.value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("the %s has a character that a statement may not hold", line.name)
		}
		fmt.Fprintf(&b, "%s: %s\n", line.name, line.value)
	}
	return []byte(b.String()), nil
}
