package signature

import (
	"errors"
	"fmt"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// The codes of findings.
const (
	// CodeUnsigned: the environment asks for a signature and there is none.
	CodeUnsigned = "unsigned-model"
	// CodeSignature: the signature is not good.
	CodeSignature = "bad-signature"
	// CodeUnpinned: an alias is no definite version, so it cannot be signed.
	CodeUnpinned = "unpinned-model"
)

// Of is the statement about a manifest's model, whose artefact lies at a URI.
func Of(m schemas.Model, uri string) Statement {
	return Statement{Name: m.Name, Version: m.Version, URI: uri, Digest: m.Digest}
}

// Check holds a model, whose artefact lies at a URI, against what the environment
// asks for. Where it requires nothing, a signature that is not good is a warning;
// where it names no keys, nothing is said. Before is the statement that the change
// replaces, if any: a signature that was left standing is told from a wrong one.
func Check(env schemas.EnvironmentSpec, m schemas.Model, uri string, before *Statement) []policy.Finding {
	wanted := env.Signatures()
	if wanted == nil || !wanted.Required && m.Signature == "" {
		return nil
	}
	severity := schemas.SeverityWarning
	if wanted.Required {
		severity = schemas.SeverityError
	}
	const remedy = "sign what `mlops model statement` prints, and write the signature in spec.model.signature"
	if m.Version == "" {
		return []policy.Finding{{
			Severity: severity, Code: CodeUnpinned, Field: "spec.model.alias",
			Message: "an alias can be moved to another version after it was signed, so it cannot be signed",
			Remedy:  "name spec.model.version",
		}}
	}
	if m.Signature == "" {
		return []policy.Finding{{
			Severity: severity, Code: CodeUnsigned, Field: "spec.model",
			Message: "the environment asks for signed models, and this one has no spec.model.signature", Remedy: remedy,
		}}
	}
	_, err := Verify(Of(m, uri), m.Signature, wanted.Keys)
	if err == nil {
		return nil
	}
	message := fmt.Sprintf("the signature could not be verified: %v", err)
	if errors.Is(err, ErrNotSigned) {
		message = mismatch(Of(m, uri), m.Signature, wanted.Keys, before)
	}
	return []policy.Finding{{Severity: severity, Code: CodeSignature, Field: "spec.model.signature", Message: message, Remedy: remedy}}
}

// mismatch says what was signed, where that can be known: a signature does not
// tell what it is over, but it can be tried on what stood there before.
func mismatch(now Statement, signature string, keys []string, before *Statement) string {
	if before != nil {
		if _, err := Verify(*before, signature, keys); err == nil {
			return fmt.Sprintf("the signature is over what the manifest said before: signed was (%s), now it says (%s)", before, now)
		}
	}
	return fmt.Sprintf("the signature is by none of the environment's keys (%d) over what the manifest says (%s): "+
		"somebody else signed, or the manifest was changed after it was signed", len(keys), now)
}

// String is the statement in one line, for a person.
func (s Statement) String() string {
	digest := s.Digest
	if digest == "" {
		digest = "none"
	}
	return fmt.Sprintf("name %s, version %s, uri %s, digest %s", s.Name, s.Version, s.URI, digest)
}
