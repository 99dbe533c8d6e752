package source

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ErrURL: a remote's address is not one that Mooring fetches from.
var ErrURL = errors.New("unusable repository URL")

type scheme string

const (
	schemeHTTPS scheme = "https"
	schemeHTTP  scheme = "http" // to this machine only
	schemeSSH   scheme = "ssh"
	schemeFile  scheme = "file"
)

// remote is the validated address of a repository. It never holds a secret, so
// it can appear in every message.
type remote struct {
	scheme scheme
	host   string // without port and brackets
	port   int    // 0: the scheme's own
	user   string // ssh only
	path   string
}

// scpForm is git's short form for ssh, user@host:path.
var scpForm = regexp.MustCompile(`^(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9._-]+):([^:].*)$`)

// parseRemote accepts https and ssh URLs, user@host:path, file URLs and
// absolute paths, and plain http to a loopback address. Everything else is
// refused, above all what git would hand to a helper program (ext::…) or take
// for an option (-u…). An address that carries a password is refused rather
// than stripped, because then it also stands in a file where it does not belong.
func parseRemote(raw string) (remote, error) {
	if raw == "" || strings.HasPrefix(raw, "-") {
		return remote{}, fmt.Errorf("%w: it is empty or begins with a dash", ErrURL)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return remote{}, fmt.Errorf("%w: it contains blanks or control characters", ErrURL)
	}
	head, _, isURL := strings.Cut(raw, "://")
	if strings.Contains(head, "::") {
		return remote{}, fmt.Errorf("%w: remote helpers are not used", ErrURL)
	}
	if filepath.IsAbs(raw) {
		return remote{scheme: schemeFile, path: filepath.Clean(raw)}, nil
	}
	if isURL {
		return parseURL(raw)
	}
	m := scpForm.FindStringSubmatch(raw)
	if m == nil || knownScheme(m[2]) {
		return remote{}, fmt.Errorf("%w: it is no URL, no user@host:path and no absolute path", ErrURL)
	}
	return checkSSH(remote{scheme: schemeSSH, user: m[1], host: m[2], path: m[3]})
}

// knownScheme keeps https:host/path, a slip of the keyboard, from being read as
// an ssh host of that name.
func knownScheme(host string) bool {
	return slices.Contains([]string{"https", "http", "ssh", "file", "git"}, strings.ToLower(host))
}

func parseURL(raw string) (remote, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message would repeat the address, password and all.
		return remote{}, fmt.Errorf("%w: it cannot be parsed", ErrURL)
	}
	if _, has := u.User.Password(); has {
		return remote{}, fmt.Errorf("%w: it carries a password; give credentials apart from it", ErrURL)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || u.Opaque != "" {
		return remote{}, fmt.Errorf("%w: it has a query or a fragment", ErrURL)
	}
	r := remote{scheme: scheme(strings.ToLower(u.Scheme)), host: u.Hostname(), user: u.User.Username(), path: u.Path}
	if u.Port() != "" {
		if r.port, err = strconv.Atoi(u.Port()); err != nil || r.port < 1 || r.port > 65535 {
			return remote{}, fmt.Errorf("%w: its port is no port", ErrURL)
		}
	}
	switch r.scheme {
	case schemeHTTPS, schemeHTTP:
		return checkHTTP(r)
	case schemeSSH:
		return checkSSH(r)
	case schemeFile:
		return checkFile(r)
	}
	return remote{}, fmt.Errorf("%w: %q is not among https, ssh and file", ErrURL, clip(u.Scheme))
}

func checkHTTP(r remote) (remote, error) {
	switch {
	case r.user != "":
		return remote{}, fmt.Errorf("%w: it carries a user name; give credentials apart from it", ErrURL)
	case r.host == "" || strings.Trim(r.path, "/") == "":
		return remote{}, fmt.Errorf("%w: it names no host or no repository", ErrURL)
	case r.scheme == schemeHTTP && !loopback(r.host):
		return remote{}, fmt.Errorf("%w: plain http is for this machine only; use https", ErrURL)
	}
	return r, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkSSH(r remote) (remote, error) {
	switch {
	case r.host == "" || strings.Trim(r.path, "/") == "":
		return remote{}, fmt.Errorf("%w: it names no host or no repository", ErrURL)
	case strings.HasPrefix(r.host, "-") || strings.HasPrefix(r.user, "-") || strings.HasPrefix(r.path, "-"):
		return remote{}, fmt.Errorf("%w: a part of it begins with a dash", ErrURL)
	}
	// In ssh://host/~user/repo the slash belongs to the URL.
	if strings.HasPrefix(r.path, "/~") {
		r.path = r.path[1:]
	}
	return r, nil
}

func checkFile(r remote) (remote, error) {
	if r.user != "" || r.port != 0 || r.host != "" && r.host != "localhost" || !filepath.IsAbs(r.path) {
		return remote{}, fmt.Errorf("%w: a file URL is file:// and an absolute path", ErrURL)
	}
	return remote{scheme: schemeFile, path: filepath.Clean(r.path)}, nil
}

// String is the address in its long form.
func (r remote) String() string {
	u := url.URL{Scheme: string(r.scheme), Host: r.host, Path: r.path}
	if strings.Contains(r.host, ":") {
		u.Host = "[" + r.host + "]"
	}
	if r.port != 0 {
		u.Host = net.JoinHostPort(r.host, strconv.Itoa(r.port))
	}
	if r.user != "" {
		u.User = url.User(r.user)
	}
	if !strings.HasPrefix(r.path, "/") {
		u.Path = "/" + r.path
	}
	return u.String()
}
