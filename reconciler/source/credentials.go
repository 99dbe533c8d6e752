package source

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
)

// Credentials gives access to a remote. It is asked once at each fetch, so that
// tokens which expire, and secrets which are rotated, need no restart. Its
// errors are shown to people: they must not contain the secret.
type Credentials interface {
	Credential(ctx context.Context, remote string) (Credential, error)
}

// CredentialsFunc lets a function be Credentials.
type CredentialsFunc func(ctx context.Context, remote string) (Credential, error)

// Credential calls f.
func (f CredentialsFunc) Credential(ctx context.Context, remote string) (Credential, error) {
	return f(ctx, remote)
}

// Credential is what one fetch identifies itself with. The zero value is an
// anonymous one, which https may accept and ssh does not. However it is
// printed, logged or encoded, nothing of it appears.
type Credential struct {
	// Username and Password are for https. Where only a Password is given, it is
	// taken for a token, and the user name is the one that GitHub expects.
	Username, Password string

	// PrivateKey is for ssh, PEM encoded; Passphrase opens it where it is encrypted.
	PrivateKey, Passphrase []byte
	// KnownHosts is for ssh and required there: lines as in known_hosts. Only a
	// host listed with its key is talked to.
	KnownHosts []byte
}

const tokenUser = "x-access-token"

const redacted = "[redacted]"

// String hides the credential.
func (Credential) String() string { return redacted }

// GoString hides the credential.
func (Credential) GoString() string { return redacted }

// Format hides the credential from every verb.
func (Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the credential from structured logs.
func (Credential) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the credential from encoders.
func (Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// user is the name that https sends.
func (c Credential) user() string {
	if c.Username == "" {
		return tokenUser
	}
	return c.Username
}

// secrets returns what must not appear in any message.
func (c Credential) secrets() []string {
	var all []string
	if c.Password != "" {
		// As the Authorization header carries it, should a server echo that.
		all = append(all, base64.StdEncoding.EncodeToString([]byte(c.user()+":"+c.Password)))
	}
	for _, s := range []string{c.Password, string(c.Passphrase), string(c.PrivateKey)} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}
