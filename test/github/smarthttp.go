package githubtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"strings"
)

// maxPush bounds a push, which is held in memory: the server's CGI takes no chunked bodies.
const maxPush = 256 << 20

// serveGit is Git over HTTP: anyone who may read the repository clones it, who may write pushes.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	owner, name := r.PathValue("owner"), strings.TrimSuffix(r.PathValue("repo"), ".git")
	pushing := r.URL.Query().Get("service") == "git-receive-pack" || strings.HasSuffix(r.URL.Path, "/git-receive-pack")
	target, who, refusal := s.openGit(r, owner, name, pushing)
	if refusal != nil {
		if refusal.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		}
		http.Error(w, refusal.message, refusal.status)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		http.Error(w, "the push is too large", http.StatusRequestEntityTooLarge)
		return
	}
	in := r.Clone(r.Context())
	in.Body, in.ContentLength, in.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	in.URL.Path = "/" + target.fullName() + ".git" + strings.TrimPrefix(r.URL.Path, "/"+owner+"/"+r.PathValue("repo"))
	if !strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
		s.cgi(who, nil).ServeHTTP(w, in)
		return
	}
	s.receive(w, in, target, who)
}

func (s *Server) openGit(r *http.Request, owner, name string, pushing bool) (*repo, *account, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.repos[key(owner, name)]
	if credential(r) == "" {
		if target != nil && target.public && !pushing {
			return target, nil, nil
		}
		return nil, nil, refuse(http.StatusUnauthorized, "Authentication required.")
	}
	who, err := s.authenticate(r)
	if err != nil || who.app != nil {
		return nil, nil, refuse(http.StatusUnauthorized, "Invalid username or token.")
	}
	c := &call{s: s, r: r, who: who}
	if target == nil || !c.sees(target) {
		return nil, nil, refuse(http.StatusNotFound, "Repository not found.")
	}
	scope := "contents:read"
	if pushing {
		scope = "contents:write"
	}
	forbidden := c.allowApp(scope) != nil
	if who.user != nil && pushing {
		forbidden = target.permission(who.user) < Write
	}
	if forbidden {
		return nil, nil, refuse(http.StatusForbidden, "Permission to %s denied to %s.", target.fullName(), who.account().login)
	}
	return target, who.account(), nil
}

func (s *Server) cgi(who *account, protected []string) http.Handler {
	env := append(gitEnvOnly(), "GIT_PROJECT_ROOT="+s.dir, "GIT_HTTP_EXPORT_ALL=1", "GITHUB_PROTECTED="+strings.Join(protected, " "))
	if who != nil {
		env = append(env, "REMOTE_USER="+who.login)
	}
	return &cgi.Handler{Path: s.backend, Root: "/", Env: env, InheritEnv: []string{"PATH"}, Stderr: io.Discard}
}

func gitEnvOnly() []string {
	all := gitEnv()
	return all[len(os.Environ()):]
}

// receive takes a push under the server's lock, so that branches, pull requests and webhooks move as one.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, target *repo, who *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := target.git.refs("refs/heads/")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.cgi(who, target.protectedFrom(who)).ServeHTTP(w, r)
	after, err := target.git.refs("refs/heads/")
	if err == nil {
		for _, u := range updates(before, after) {
			if err = s.branchMoved(target, u, who); err != nil {
				break
			}
		}
	}
	if err != nil {
		s.hooks.fail(err) // the push itself has been answered already
	}
}

// protectedFrom lists the branches that somebody may not push to directly.
func (r *repo) protectedFrom(who *account) []string {
	var list []string
	for branch, rule := range r.protection {
		if r.permission(who) < Admin || rule.enforceAdmins {
			list = append(list, "refs/heads/"+branch)
		}
	}
	return list
}
