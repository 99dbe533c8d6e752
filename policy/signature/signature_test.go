package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

var statement = Statement{
	Name: "churn", Version: "2", URI: "s3://models/churn/v2",
	Digest: "sha256:" + strings.Repeat("ab", 32),
}

// signer signs by the standard library alone, so that what verifies it is not
// what made it.
type signer struct {
	name   string
	public string
	sign   func(message []byte) ([]byte, error)
	key    crypto.Signer
}

func newSigner(t *testing.T, name string, key crypto.Signer, sign func([]byte) ([]byte, error)) signer {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), sign, key}
}

func signers(t *testing.T) []signer {
	t.Helper()
	hashed := func(key crypto.Signer, h crypto.Hash) func([]byte) ([]byte, error) {
		return func(message []byte) ([]byte, error) {
			sum := h.New()
			sum.Write(message)
			return key.Sign(rand.Reader, sum.Sum(nil), h)
		}
	}
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	modulus := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []signer{
		newSigner(t, "ECDSA P-256", p256, hashed(p256, crypto.SHA256)),
		newSigner(t, "ECDSA P-384", p384, hashed(p384, crypto.SHA384)),
		newSigner(t, "RSA", modulus, hashed(modulus, crypto.SHA256)),
		newSigner(t, "Ed25519", edwards, func(m []byte) ([]byte, error) { return edwards.Sign(nil, m, crypto.Hash(0)) }),
		newSigner(t, "Ed25519 prehashed", edwards, func(m []byte) ([]byte, error) {
			sum := sha512.Sum512(m)
			return edwards.Sign(nil, sum[:], crypto.SHA512)
		}),
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (s signer) over(t *testing.T, st Statement) string {
	t.Helper()
	message := must(st.Bytes())(t)
	return base64.StdEncoding.EncodeToString(must(s.sign(message))(t))
}

func TestTheStatementIsAContract(t *testing.T) {
	got := string(must(statement.Bytes())(t))
	want := "mooring model statement v1\nname: churn\nversion: 2\nuri: s3://models/churn/v2\ndigest: sha256:" + strings.Repeat("ab", 32) + "\n"
	if got != want {
		t.Errorf("signatures that exist are over\n%s\nbut now it is\n%s", want, got)
	}
	bare := statement
	bare.Digest = ""
	if got := string(must(bare.Bytes())(t)); !strings.HasSuffix(got, "\ndigest: none\n") {
		t.Errorf("without a digest:\n%s", got)
	}
}

func TestNoFieldCanForgeALine(t *testing.T) {
	for name, s := range map[string]Statement{
		"a line feed in the URI":   {Name: "a", Version: "1", URI: "s3://b/x\ndigest: none"},
		"a carriage return":        {Name: "a", Version: "1\r", URI: "s3://b"},
		"a space":                  {Name: "a", Version: "1", URI: "s3://b/x y"},
		"a letter beyond ASCII":    {Name: "ä", Version: "1", URI: "s3://b"},
		"no version":               {Name: "a", URI: "s3://b"},
		"no URI":                   {Name: "a", Version: "1"},
		"a line feed in a digest":  {Name: "a", Version: "1", URI: "s3://b", Digest: "none\nuri: x"},
		"a null byte in the name":  {Name: "a\x00", Version: "1", URI: "s3://b"},
		"a separator of Unicode's": {Name: "a", Version: "1", URI: "s3://b\u2028x"},
	} {
		if b, err := s.Bytes(); err == nil {
			t.Errorf("%s: %q", name, b)
		}
	}
}

func TestASignatureIsGoodForOneStatementAndOneKey(t *testing.T) {
	all := signers(t)
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			sig := s.over(t, statement)
			if by, err := Verify(statement, sig, []string{s.public}); err != nil || by != 0 {
				t.Fatalf("by %d: %v", by, err)
			}
			for field, changed := range map[string]Statement{
				"name":    {"churn2", statement.Version, statement.URI, statement.Digest},
				"version": {statement.Name, "3", statement.URI, statement.Digest},
				"uri":     {statement.Name, statement.Version, statement.URI + "/", statement.Digest},
				"digest":  {statement.Name, statement.Version, statement.URI, "sha256:" + strings.Repeat("cd", 32)},
				"none":    {statement.Name, statement.Version, statement.URI, ""},
			} {
				if _, err := Verify(changed, sig, []string{s.public}); !errors.Is(err, ErrNotSigned) {
					t.Errorf("with another %s: %v", field, err)
				}
			}
			other := all[(i+1)%3]
			if other.public != s.public {
				if _, err := Verify(statement, sig, []string{other.public}); !errors.Is(err, ErrNotSigned) {
					t.Errorf("by the key of %s: %v", other.name, err)
				}
				if by, err := Verify(statement, sig, []string{other.public, s.public}); err != nil || by != 1 {
					t.Errorf("after a rotation: by %d: %v", by, err)
				}
			}
			raw := must(base64.StdEncoding.DecodeString(sig))(t)
			for at := range raw {
				raw[at] ^= 1
				if _, err := Verify(statement, base64.StdEncoding.EncodeToString(raw), []string{s.public}); !errors.Is(err, ErrNotSigned) {
					t.Errorf("with byte %d changed: %v", at, err)
				}
				raw[at] ^= 1
			}
		})
	}
}

func TestWhatIsNoSignatureIsNone(t *testing.T) {
	s := signers(t)[0]
	for name, sig := range map[string]string{
		"empty": "", "no base64": "%%%", "URL base64": "-_-_", "too short": "AAAA", "a line feed": s.over(t, statement) + "\n!",
		"huge": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 4096)),
	} {
		if _, err := Verify(statement, sig, []string{s.public}); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if _, err := Verify(statement, s.over(t, statement), nil); !errors.Is(err, ErrNotSigned) {
		t.Errorf("without keys: %v", err)
	}
	if _, err := Verify(statement, s.over(t, statement), []string{s.public, "-----BEGIN PUBLIC KEY-----"}); err == nil || errors.Is(err, ErrNotSigned) {
		t.Errorf("with a key that cannot be read: %v", err)
	}
}

// The commands in the documentation: openssl is another implementation than Go's.
func TestOpenSSLSignsWhatMooringVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed; the standard library's signatures are tested besides")
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), openssl, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		return out
	}
	if err := os.WriteFile(filepath.Join(dir, "statement"), must(statement.Bytes())(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ generate, sign []string }{
		"ECDSA": {
			[]string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key"},
			[]string{"dgst", "-sha256", "-sign", "key", "statement"},
		},
		"RSA": {
			[]string{"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", "key"},
			[]string{"dgst", "-sha256", "-sign", "key", "statement"},
		},
		"Ed25519": {
			[]string{"genpkey", "-algorithm", "ED25519", "-out", "key"},
			[]string{"pkeyutl", "-sign", "-rawin", "-inkey", "key", "-in", "statement"},
		},
	} {
		run(tc.generate...)
		public := string(run("pkey", "-in", "key", "-pubout"))
		sig := base64.StdEncoding.EncodeToString(run(tc.sign...))
		if _, err := Verify(statement, sig, []string{public}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func environment(required bool, keys ...string) schemas.EnvironmentSpec {
	return schemas.EnvironmentSpec{Models: &schemas.ModelPolicy{Signatures: &schemas.Signatures{Required: required, Keys: keys}}}
}

func TestWhatTheEnvironmentAsksFor(t *testing.T) {
	all := signers(t)
	s, stranger := all[0], all[2]
	model := func(change func(*schemas.Model)) schemas.Model {
		m := schemas.Model{Name: statement.Name, Version: statement.Version, Digest: statement.Digest, Signature: s.over(t, statement)}
		change(&m)
		return m
	}
	older := statement
	older.Version = "1"
	for _, tc := range []struct {
		name     string
		env      schemas.EnvironmentSpec
		model    schemas.Model
		before   *Statement
		code     string
		severity schemas.Severity
		says     string
	}{
		{"a signed model", environment(true, s.public), model(func(*schemas.Model) {}), nil, "", "", ""},
		{"a signed model after a rotation", environment(true, stranger.public, s.public), model(func(*schemas.Model) {}), nil, "", "", ""},
		{"nothing is asked for", schemas.EnvironmentSpec{}, model(func(m *schemas.Model) { m.Signature = "AAAA" }), nil, "", "", ""},
		{"no signature", environment(true, s.public), model(func(m *schemas.Model) { m.Signature = "" }), nil, CodeUnsigned, schemas.SeverityError, "spec.model.signature"},
		{"no signature where none is required", environment(false, s.public), model(func(m *schemas.Model) { m.Signature = "" }), nil, "", "", ""},
		{"a bad one where none is required", environment(false, s.public), model(func(m *schemas.Model) { m.Version = "3" }), nil, CodeSignature, schemas.SeverityWarning, "version 3"},
		{"another key", environment(true, stranger.public), model(func(*schemas.Model) {}), nil, CodeSignature, schemas.SeverityError, "none of the environment's keys (1)"},
		{"another version", environment(true, s.public), model(func(m *schemas.Model) { m.Version = "3" }), nil, CodeSignature, schemas.SeverityError, "version 3"},
		{"the digest taken out", environment(true, s.public), model(func(m *schemas.Model) { m.Digest = "" }), nil, CodeSignature, schemas.SeverityError, "digest none"},
		{
			"a signature left from the version before", environment(true, s.public),
			model(func(m *schemas.Model) { m.Signature = s.over(t, older) }), &older, CodeSignature, schemas.SeverityError,
			"signed was (name churn, version 1, uri s3://models/churn/v2",
		},
		{"an alias", environment(true, s.public), model(func(m *schemas.Model) { m.Version, m.Alias = "", "champion" }), nil, CodeUnpinned, schemas.SeverityError, "alias"},
		{"a key that is none", environment(true, "x"), model(func(*schemas.Model) {}), nil, CodeSignature, schemas.SeverityError, "could not be verified"},
		{"no keys at all", environment(true), model(func(*schemas.Model) {}), nil, CodeSignature, schemas.SeverityError, "none of the environment's keys (0)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			findings := Check(tc.env, tc.model, statement.URI, tc.before)
			if tc.code == "" {
				if len(findings) > 0 {
					t.Errorf("%+v", findings)
				}
				return
			}
			if len(findings) != 1 || findings[0].Code != tc.code || findings[0].Severity != tc.severity || !strings.Contains(findings[0].Message, tc.says) {
				t.Errorf("%+v", findings)
			}
		})
	}
}

// Every key that the loader takes can be used to verify, and no other.
func TestKeysThatTheLoaderTakes(t *testing.T) {
	sum := sha256.Sum256(nil)
	for _, s := range signers(t) {
		if _, err := Verify(statement, base64.StdEncoding.EncodeToString(sum[:]), []string{s.public}); !errors.Is(err, ErrNotSigned) {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	small := must(rsa.GenerateKey(rand.Reader, 1024))(t)
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))(t)
	private := must(x509.MarshalPKCS8PrivateKey(signers(t)[0].key))(t)
	good := signers(t)[0].public
	for name, key := range map[string]string{
		"RSA of 1024 bits": newSigner(t, "", small, nil).public, "a curve that is too small": newSigner(t, "", p224, nil).public,
		"a private key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"two keys":      good + good, "text before it": "my key:\n" + good, "cut off": good[:len(good)/2],
		"another block": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "empty": "",
		"the wrong bytes": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})),
	} {
		_, err := schemas.ParsePublicKey(key)
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if len(key) > 100 && strings.Contains(err.Error(), key[60:90]) {
			t.Errorf("%s is repeated: %v", name, err)
		}
	}
}
