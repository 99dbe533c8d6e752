// Package pki makes the keys and certificates of one control plane: a certificate authority,
// a serving certificate for 127.0.0.1, and the key that signs service account tokens. They live
// in the control plane's directory and are made anew on every start, except for the service
// account key: tokens signed by it may be stored in the cluster.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A development cluster that runs longer than this has to be started again.
const validity = 365 * 24 * time.Hour

// Files are the paths of what Write wrote, and the authority's certificate itself.
type Files struct {
	CA              []byte // PEM
	CAFile          string
	ServingCert     string
	ServingKey      string
	AccountsPublic  string
	AccountsPrivate string
}

// Write fills dir, creating it where needed. Elliptic-curve keys are used because making RSA
// keys would take a noticeable part of the start.
func Write(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for certificates: %w", err)
	}
	files := &Files{
		CAFile:          filepath.Join(dir, "ca.crt"),
		ServingCert:     filepath.Join(dir, "tls.crt"),
		ServingKey:      filepath.Join(dir, "tls.key"),
		AccountsPublic:  filepath.Join(dir, "service-accounts.pub"),
		AccountsPrivate: filepath.Join(dir, "service-accounts.key"),
	}
	if err := files.writeCertificates(); err != nil {
		return nil, err
	}
	if err := files.keepAccountKey(); err != nil {
		return nil, err
	}
	return files, nil
}

func (f *Files) writeCertificates() error {
	caKey, err := newKey()
	if err != nil {
		return err
	}
	ca := template("mooring development CA")
	ca.IsCA = true
	ca.BasicConstraintsValid = true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	f.CA, err = sign(ca, ca, caKey.Public(), caKey)
	if err != nil {
		return err
	}

	key, err := newKey()
	if err != nil {
		return err
	}
	serving := template("127.0.0.1")
	serving.KeyUsage = x509.KeyUsageDigitalSignature
	serving.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serving.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	serving.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	cert, err := sign(serving, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	private, err := privatePEM(key)
	if err != nil {
		return err
	}
	return writeAll(map[string][]byte{f.CAFile: f.CA, f.ServingCert: cert, f.ServingKey: private})
}

// keepAccountKey makes the service account key unless an earlier start has made it.
func (f *Files) keepAccountKey() error {
	if _, err := os.Stat(f.AccountsPrivate); err == nil {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := privatePEM(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encoding the service account key: %w", err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	// The private key last: its presence says that both are complete.
	if err := writeAll(map[string][]byte{f.AccountsPublic: public}); err != nil {
		return err
	}
	return writeAll(map[string][]byte{f.AccountsPrivate: private})
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

func template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour), // Clocks of test machines jump.
		NotAfter:     now.Add(validity),
	}
}

func sign(cert, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate of %s: %w", cert.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func privatePEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func writeAll(files map[string][]byte) error {
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("writing a certificate or key: %w", err)
		}
	}
	return nil
}
