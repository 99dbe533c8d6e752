package source

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestRemoteURLs(t *testing.T) {
	good := map[string]string{ // as given → in its long form
		"https://github.com/acme/models":          "https://github.com/acme/models",
		"https://github.com:8443/acme/models.git": "https://github.com:8443/acme/models.git",
		"HTTPS://github.com/acme/models":          "https://github.com/acme/models",
		"https://[2001:db8::1]/acme/models":       "https://[2001:db8::1]/acme/models",
		"http://127.0.0.1:8080/r":                 "http://127.0.0.1:8080/r",
		"http://localhost/r":                      "http://localhost/r",
		"http://[::1]:80/r":                       "http://[::1]:80/r",
		"ssh://git@github.com/acme/models":        "ssh://git@github.com/acme/models",
		"ssh://github.com:2222/acme/models":       "ssh://github.com:2222/acme/models",
		"git@github.com:acme/models.git":          "ssh://git@github.com/acme/models.git",
		"github.com:acme/models":                  "ssh://github.com/acme/models",
		"git@host:/srv/models.git":                "ssh://git@host/srv/models.git",
		"file:///srv/models":                      "file:///srv/models",
		"file://localhost/srv/models":             "file:///srv/models",
		"/srv/models/":                            "file:///srv/models",
	}
	for raw, want := range good {
		r, err := parseRemote(raw)
		if err != nil || r.String() != want {
			t.Errorf("%s: got %s, %v, want %s", raw, r, err, want)
		}
	}
	bad := []string{
		"", " ", "-uhttps://x/y", "--upload-pack=touch /tmp/x", "ext::sh -c touch% /tmp/x", "ext::sh", "fd::3",
		"https::https://x/y", "https://user:s3cret@host/r", "https://s3cret@host/r", "ssh://git:s3cret@host/r",
		"https://host", "https://host/", "https:///r", "https://host/r?x=s3cret", "https://host/r#x",
		"http://example.com/r", "http://127.0.0.1.example.com/r", "http://10.0.0.1/r", "git://host/r", "ftp://host/r",
		"ssh://-oProxyCommand=x/r", "ssh://host", "-oProxyCommand=x:r", "git@-host:r", "git@host:-x", "git@host:",
		"file://host/r", "file://r", "relative/path", "./x", "https://host/r\nx", "https://host/r x", "https://host:0/r",
		"https://ho%zzst/s3cret", "https:host/r",
	}
	for _, raw := range bad {
		r, err := parseRemote(raw)
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: got %v, %v, want ErrURL", raw, r, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the message holds a secret: %v", err)
		}
	}
}

func FuzzRemote(f *testing.F) {
	f.Add("https://host/r")
	f.Add("git@host:r")
	f.Add("ext::sh -c x")
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := parseRemote(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.host, "-") || strings.HasPrefix(r.path, "-") || strings.HasPrefix(r.user, "-") {
			t.Errorf("%q: a part begins with a dash: %+v", raw, r)
		}
		if r.scheme == schemeHTTP && !loopback(r.host) {
			t.Errorf("%q: plain http leaves the machine", raw)
		}
		if again, err := parseRemote(r.String()); err != nil || again.host != r.host || again.scheme != r.scheme {
			t.Errorf("%q: its long form %q reads as %+v, %v", raw, r, again, err)
		}
	})
}

func TestAnotherAddressThanTheRemotesIsSaid(t *testing.T) {
	r, err := parseRemote("https://git.example.com/acme/models.git")
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("connection refused")
	for address, want := range map[string]string{
		"https://git.example.com/acme/models.git/info/refs": "connection refused",
		"https://elsewhere.example.com/info/refs":           `Get "https://elsewhere.example.com/info/refs": connection refused`,
		"https://git.example.com/acme/models.gitx/info":     `Get "https://git.example.com/acme/models.gitx/info": connection refused`,
	} {
		if got := r.describe(&url.Error{Op: "Get", URL: address, Err: refused}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
