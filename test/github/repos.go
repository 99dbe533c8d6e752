package githubtest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

func getRepo(c *call) (int, any, error) { return http.StatusOK, c.s.repoFullJSON(c.repo), nil }

func deleteRepo(c *call) (int, any, error) {
	c.repo.deleted = true
	delete(c.s.repos, key(c.repo.fullName()))
	return http.StatusNoContent, nil, nil
}

// forkOf finds somebody's fork of a repository.
func (s *Server) forkOf(r *repo, owner string) *repo {
	for _, f := range s.repos {
		if f.parent == r && strings.EqualFold(f.owner.login, owner) {
			return f
		}
	}
	return nil
}

// References.

func (c *call) refJSON(ref, sha string) object {
	return object{
		"ref": ref, "node_id": nodeID("Ref", ref), "url": c.s.api("/repos/%s/git/%s", c.repo.fullName(), ref),
		"object": object{"type": "commit", "sha": sha, "url": c.s.api("/repos/%s/git/commits/%s", c.repo.fullName(), sha)},
	}
}

func getRef(c *call) (int, any, error) {
	ref := "refs/" + c.path("ref")
	sha, err := c.repo.git.resolve(ref)
	if err != nil {
		return 0, nil, err
	}
	if sha == "" {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.refJSON(ref, sha), nil
}

func createRef(c *call) (int, any, error) {
	var in struct{ Ref, SHA string }
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if !strings.HasPrefix(in.Ref, "refs/heads/") {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference name must start with 'refs/heads/' here.")
	}
	if _, err := c.repo.git.run("check-ref-format", in.Ref); err != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference name is not valid")
	}
	sha, err := c.repo.git.resolve(in.SHA)
	if err != nil {
		return 0, nil, err
	}
	if sha == "" || sha != in.SHA {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Object does not exist")
	}
	there, err := c.repo.git.resolve(in.Ref)
	if err != nil {
		return 0, nil, err
	}
	if there != "" {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference already exists")
	}
	if err := c.repo.git.setRef(in.Ref, sha); err != nil {
		return 0, nil, err
	}
	err = c.s.branchMoved(c.repo, refUpdate{in.Ref, zeroSHA, sha}, c.who.account())
	return http.StatusCreated, c.refJSON(in.Ref, sha), err
}

func deleteRef(c *call) (int, any, error) {
	ref := "refs/" + c.path("ref")
	sha, err := c.repo.git.resolve(ref)
	if err != nil {
		return 0, nil, err
	}
	if sha == "" || !strings.HasPrefix(ref, "refs/heads/") {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if slices.Contains(c.repo.protectedFrom(c.who.account()), ref) || ref == "refs/heads/"+c.repo.defaultBranch {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "Cannot delete this protected branch")
	}
	if err := c.repo.git.deleteRef(ref); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, c.s.branchMoved(c.repo, refUpdate{ref, sha, zeroSHA}, c.who.account())
}

// Contents.

type treeEntry struct{ kind, sha, path string }

// entry finds what lies at a path of a commit.
func (g gitRepo) entry(commit, at string) (treeEntry, error) {
	out, err := g.run("ls-tree", "-z", commit, "--", at)
	if err != nil || out == "" {
		return treeEntry{}, err
	}
	meta, name, _ := strings.Cut(strings.TrimSuffix(out, "\x00"), "\t")
	fields := strings.Fields(meta)
	if len(fields) != 3 {
		return treeEntry{}, fmt.Errorf("git ls-tree: odd entry %q", out)
	}
	return treeEntry{fields[1], fields[2], name}, nil
}

func (c *call) contentJSON(e treeEntry, ref, kind string, size int) object {
	at := urlPath(e.path)
	self := c.s.api("/repos/%s/contents/%s?ref=%s", c.repo.fullName(), at, ref)
	git := c.s.api("/repos/%s/git/blobs/%s", c.repo.fullName(), e.sha)
	html := c.s.html("/%s/blob/%s/%s", c.repo.fullName(), ref, at)
	return object{
		"type": kind, "size": size, "name": path.Base(e.path), "path": e.path, "sha": e.sha, "url": self, "git_url": git,
		"html_url": html, "download_url": c.s.html("/%s/raw/%s/%s", c.repo.fullName(), ref, at),
		"_links": object{"self": self, "git": git, "html": html},
	}
}

func getContents(c *call) (int, any, error) {
	ref := c.r.URL.Query().Get("ref")
	if ref == "" {
		ref = c.repo.defaultBranch
	}
	commit, err := c.repo.git.resolve(ref)
	if err != nil {
		return 0, nil, err
	}
	if commit == "" {
		return 0, nil, refuse(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	e, err := c.repo.git.entry(commit, c.path("path"))
	if err != nil {
		return 0, nil, err
	}
	switch e.kind {
	case "tree":
		return c.listDirectory(e, ref)
	case "blob":
	default:
		return 0, nil, notFound()
	}
	data, err := c.repo.git.git(nil, []byte(e.sha+"\n"), "cat-file", "--batch")
	if err != nil {
		return 0, nil, err
	}
	_, data, _ = strings.Cut(data, "\n") // the header line; run has cut the final newline of the batch
	out := c.contentJSON(e, ref, "file", len(data))
	out["encoding"], out["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(data))
	return http.StatusOK, out, nil
}

func (c *call) listDirectory(dir treeEntry, ref string) (int, any, error) {
	out, err := c.repo.git.run("ls-tree", "-z", dir.sha)
	if err != nil {
		return 0, nil, err
	}
	list := []any{}
	for _, record := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, name, _ := strings.Cut(record, "\t")
		fields := strings.Fields(meta)
		if len(fields) != 3 {
			return 0, nil, fmt.Errorf("git ls-tree: odd entry %q", record)
		}
		kind := map[string]string{"tree": "dir", "blob": "file", "commit": "submodule"}[fields[1]]
		list = append(list, c.contentJSON(treeEntry{fields[1], fields[2], path.Join(dir.path, name)}, ref, kind, 0))
	}
	return http.StatusOK, list, nil
}

type contentRequest struct {
	Message, Content, SHA, Branch string
}

// putContents commits one file, as a click on "Commit changes" does.
func putContents(c *call) (int, any, error) {
	in, old, err := c.contentRequest()
	if err != nil {
		return 0, nil, err
	}
	data, err := base64.StdEncoding.DecodeString(in.Content)
	if err != nil {
		return 0, nil, refuse(http.StatusUnprocessableEntity, "content is not valid Base64")
	}
	if old.sha != in.SHA {
		if in.SHA == "" {
			return 0, nil, refuse(http.StatusUnprocessableEntity, `Invalid request. "sha" wasn't supplied.`)
		}
		return 0, nil, refuse(http.StatusConflict, "%s does not match %s", c.path("path"), in.SHA)
	}
	code := http.StatusOK
	if old.sha == "" {
		code = http.StatusCreated
	}
	commit, err := c.commitFile(in, data)
	if err != nil {
		return 0, nil, err
	}
	e, err := c.repo.git.entry(commit["sha"].(string), c.path("path"))
	return code, object{"content": c.contentJSON(e, in.Branch, "file", len(data)), "commit": commit}, err
}

func deleteContents(c *call) (int, any, error) {
	in, old, err := c.contentRequest()
	if err != nil {
		return 0, nil, err
	}
	switch {
	case old.sha == "":
		return 0, nil, notFound()
	case old.sha != in.SHA:
		return 0, nil, refuse(http.StatusConflict, "%s does not match %s", c.path("path"), in.SHA)
	}
	commit, err := c.commitFile(in, nil)
	return http.StatusOK, object{"content": nil, "commit": commit}, err
}

func (c *call) contentRequest() (contentRequest, treeEntry, error) {
	in := contentRequest{Branch: c.repo.defaultBranch}
	if err := c.decode(&in); err != nil {
		return in, treeEntry{}, err
	}
	if in.Message == "" {
		return in, treeEntry{}, refuse(http.StatusUnprocessableEntity, `Invalid request. "message" wasn't supplied.`)
	}
	ref := "refs/heads/" + in.Branch
	tip, err := c.repo.git.resolve(ref)
	if err != nil {
		return in, treeEntry{}, err
	}
	if tip == "" {
		return in, treeEntry{}, refuse(http.StatusNotFound, "Branch %s not found", in.Branch)
	}
	if slices.Contains(c.repo.protectedFrom(c.who.account()), ref) {
		return in, treeEntry{}, refuse(http.StatusConflict, "Could not update file: Changes must be made through a pull request.")
	}
	e, err := c.repo.git.entry(tip, c.path("path"))
	return in, e, err
}

// commitFile writes (or, with nil, removes) one file on a branch and gives the commit's JSON.
func (c *call) commitFile(in contentRequest, data []byte) (object, error) {
	me, ref := c.who.account(), "refs/heads/"+in.Branch
	tip, err := c.repo.git.resolve(ref)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{c.path("path"): data}
	who := signature{me.name, me.email, c.s.now()}
	sha, err := c.repo.git.commitFiles(tip, in.Message, who, webFlow(c.s.now()), files)
	if err != nil {
		return nil, err
	}
	if sha == "" {
		return nil, errors.New("the commit changes nothing")
	}
	if err := c.repo.git.setRef(ref, sha); err != nil {
		return nil, err
	}
	if err := c.s.branchMoved(c.repo, refUpdate{ref, tip, sha}, me); err != nil {
		return nil, err
	}
	list, err := c.repo.git.log("-1", sha)
	if err != nil {
		return nil, err
	}
	return c.gitCommitJSON(list[0]), nil
}

// gitCommitJSON is a commit as the Git part of the API shows it.
func (c *call) gitCommitJSON(g gitCommit) object {
	full := c.s.commitJSON(c.repo, g)
	o := full["commit"].(object)
	o["sha"], o["node_id"], o["html_url"], o["parents"] = g.sha, full["node_id"], full["html_url"], full["parents"]
	return o
}
