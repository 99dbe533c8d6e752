package schemas

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParsePublicKey reads one public key in PEM form (BEGIN PUBLIC KEY): ECDSA over
// P-256, P-384 or P-521, RSA of 2048, 3072 or 4096 bits, or Ed25519. The error
// never repeats the text, which may be a private key put in the wrong place.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	text = strings.TrimSpace(text)
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil || !strings.HasPrefix(text, "-----BEGIN "):
		return nil, errors.New("it is not in PEM form")
	case strings.Contains(block.Type, "PRIVATE"):
		return nil, errors.New("it is a private key, which now is known to everybody who can read this file")
	case len(rest) > 0:
		return nil, errors.New("something follows the first PEM block")
	case block.Type != "PUBLIC KEY":
		return nil, errors.New("the PEM block is no PUBLIC KEY")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the PEM block holds no public key that can be read")
	}
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return nil, errors.New("its curve is none of P-256, P-384, P-521")
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); !slices.Contains([]int{2048, 3072, 4096}, bits) {
			return nil, fmt.Errorf("it is RSA of %d bits, not 2048, 3072 or 4096", bits)
		}
	case ed25519.PublicKey:
	default:
		return nil, errors.New("it is none of ECDSA, RSA and Ed25519")
	}
	return key, nil
}
