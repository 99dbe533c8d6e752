package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type publicKey = *rsa.PublicKey

// principal is who a request comes from: a person with a token, an App's installation with one, or an
// App itself with a signed JWT.
type principal struct {
	token        string
	user         *account
	installation *installation
	app          *app
	expires      time.Time // zero for tokens that live on
}

// account is the one under whose name things are written.
func (p principal) account() *account {
	switch {
	case p.installation != nil:
		return p.installation.app.bot
	case p.app != nil:
		return p.app.bot
	default:
		return p.user
	}
}

func newToken(prefix string) (string, error) {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return prefix + hex.EncodeToString(b[:]), nil
}

// credential finds the token in the forms that GitHub takes: token, Bearer, and Basic for Git.
func credential(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "token", "bearer":
		return strings.TrimSpace(value)
	case "basic":
		_, password, _ := r.BasicAuth()
		return password
	}
	return ""
}

func (s *Server) authenticate(r *http.Request) (principal, error) {
	token := credential(r)
	if token == "" {
		return principal{}, refuse(http.StatusUnauthorized, "Requires authentication")
	}
	if strings.Count(token, ".") == 2 {
		return s.authenticateApp(token)
	}
	p, known := s.tokens[token]
	if !known || (!p.expires.IsZero() && !s.opts.Clock().Before(p.expires)) {
		return principal{}, refuse(http.StatusUnauthorized, "Bad credentials")
	}
	return p, nil
}

// maxJWTLife is GitHub's: ten minutes.
const maxJWTLife = 10 * time.Minute

// authenticateApp checks an App's JWT: RS256 by the App's key, issued by the App, not expired, and not
// valid for longer than GitHub allows.
func (s *Server) authenticateApp(token string) (principal, error) {
	a, claims, err := s.verifyJWT(token)
	if err != nil {
		return principal{}, refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	now := time.Now() // the client signs by the machine's clock, not by the story's
	expires, issued := time.Unix(claims.Expires, 0), time.Unix(claims.Issued, 0)
	switch {
	case !now.Before(expires):
		return principal{}, refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the past")
	case expires.Sub(issued) > maxJWTLife+time.Minute:
		return principal{}, refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	case issued.After(now.Add(time.Minute)):
		return principal{}, refuse(http.StatusUnauthorized, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	}
	return principal{token: "app:" + a.slug, app: a}, nil
}

type jwtClaims struct {
	Issuer  json.RawMessage `json:"iss"` // a string, or a number in older clients
	Issued  int64           `json:"iat"`
	Expires int64           `json:"exp"`
}

func (s *Server) verifyJWT(token string) (*app, jwtClaims, error) {
	var claims jwtClaims
	parts := strings.Split(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, claims, err
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, claims, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, claims, err
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	if err := json.Unmarshal(header, &head); err != nil {
		return nil, claims, err
	}
	if head.Algorithm != "RS256" {
		return nil, claims, errors.New("only RS256 is taken")
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, claims, err
	}
	id, err := strconv.ParseInt(strings.Trim(string(claims.Issuer), `"`), 10, 64)
	if err != nil {
		return nil, claims, err
	}
	a := s.apps[id]
	if a == nil {
		return nil, claims, errors.New("no such App")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return a, claims, rsa.VerifyPKCS1v15(a.key, crypto.SHA256, sum[:], signature)
}

// authorize resolves the repository of the path and checks what the caller may do. What a caller may not
// even see is 404, as on GitHub.
func (c *call) authorize(e endpoint) error {
	if c.who.app != nil && !strings.HasPrefix(e.scope, "app") {
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	if c.who.app == nil && e.scope == "app" {
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	if c.path("repo") == "" {
		return c.allowApp(e.scope)
	}
	r := c.s.repos[key(c.path("owner"), c.path("repo"))]
	if r == nil || !c.sees(r) {
		return notFound()
	}
	c.repo = r
	if err := c.allowApp(e.scope); err != nil {
		return err
	}
	if c.who.user != nil && r.permission(c.who.user) < e.need {
		if e.need == Admin { // settings are hidden from those who may not change them
			return notFound()
		}
		return refuse(http.StatusForbidden, "Must have %s rights to Repository.", e.need)
	}
	return nil
}

func (c *call) sees(r *repo) bool {
	switch {
	case c.who.app != nil:
		return true // the App looks for its installation
	case c.who.installation != nil:
		return r.public || c.who.installation.account.id == r.owner.id
	default:
		return r.permission(c.who.user) >= Read
	}
}

var scopeLevels = map[string]int{"": 0, "read": 1, "write": 2, "admin": 3}

// allowApp checks an installation's permission, such as "statuses:write"; people pass.
func (c *call) allowApp(scope string) error {
	if c.who.installation == nil || scope == "" {
		return nil
	}
	name, level, _ := strings.Cut(scope, ":")
	if scopeLevels[c.who.installation.permissions[name]] < scopeLevels[level] || name == "user" {
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return nil
}
