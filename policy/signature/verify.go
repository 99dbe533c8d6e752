package signature

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/mlops-platform/mooring/schemas"
)

// ErrNotSigned: none of the keys made the signature over the statement.
var ErrNotSigned = errors.New("the signature is by none of the keys over this statement")

// Verify reports by which of the keys, counted from 0, a statement was signed.
// The signature is base64 as cosign and openssl's base64 write it; keys are PEM.
// ECDSA is verified with the hash of its curve's size (SHA-256 for P-256), RSA as
// PKCS #1 v1.5 with SHA-256, Ed25519 plain and prehashed, which is what cosign's
// newer versions do. A key that cannot be read is an error, even where another
// key fits.
func Verify(s Statement, signature string, keys []string) (int, error) {
	message, err := s.Bytes()
	if err != nil {
		return 0, err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return 0, errors.New("the signature is not base64")
	}
	by := -1
	for i, text := range keys {
		key, err := schemas.ParsePublicKey(text)
		if err != nil {
			return 0, fmt.Errorf("key %d: %w", i+1, err)
		}
		good, err := signedBy(key, raw, message)
		if err != nil {
			return 0, fmt.Errorf("key %d: %w", i+1, err)
		}
		if good && by < 0 {
			by = i
		}
	}
	if by < 0 {
		return 0, ErrNotSigned
	}
	return by, nil
}

func signedBy(key crypto.PublicKey, signature, message []byte) (bool, error) {
	variants := [][]sigstore.LoadOption{nil}
	if _, edwards := key.(ed25519.PublicKey); edwards {
		variants = append(variants, []sigstore.LoadOption{options.WithED25519ph()})
	}
	for _, opts := range variants {
		verifier, err := sigstore.LoadDefaultVerifier(key, opts...)
		if err != nil {
			return false, fmt.Errorf("use it to verify: %w", err)
		}
		if verifier.VerifySignature(bytes.NewReader(signature), bytes.NewReader(message)) == nil {
			return true, nil
		}
	}
	return false, nil
}
