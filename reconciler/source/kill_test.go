package source

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childDir and childURL tell the test binary, started anew, to be a process
// that fetches and is killed; childCommit, if there is one, to fetch that alone.
const childDir, childURL, childCommit = "MOORING_TEST_FETCH_DIR", "MOORING_TEST_FETCH_URL", "MOORING_TEST_FETCH_COMMIT"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	mirror, err := NewMirror(dir, MirrorOptions{URL: os.Getenv(childURL), Branch: "main"})
	commit := os.Getenv(childCommit)
	switch {
	case err != nil:
	case commit == "":
		_, err = mirror.Fetch(context.Background())
	default:
		_, err = mirror.FetchCommits(context.Background(), ID(commit))
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// halfway sends a part of each pack and then waits for the client to go away.
func halfway(next http.Handler, part int, sent chan<- struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/git-upload-pack") {
			next.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		next.ServeHTTP(whole, r)
		w.Header().Set("Content-Type", whole.Header().Get("Content-Type"))
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()*part/100])
		w.(http.Flusher).Flush()
		sent <- struct{}{}
		<-r.Context().Done()
	})
}

func TestAKilledFetchIsRepairedByTheNext(t *testing.T) {
	for name, first := range map[string]bool{"the first fetch": true, "a later fetch": false} {
		t.Run(name, func(t *testing.T) {
			g := newGitRepo(t)
			g.linear("main", "", 300)
			good := serve(t, gitHTTP(t, g)).URL + "/repo.git"
			dir := t.TempDir()
			var old ID
			if !first {
				old = fetch(t, mirrorIn(t, dir, MirrorOptions{URL: good})).Branch.New
				g.linear("main", string(old), 300)
			}
			for _, part := range []int{5, 50, 99} {
				killHalfway(t, g, dir, "", part)
			}
			m := mirrorIn(t, dir, MirrorOptions{URL: good})
			if m.Tip() != old {
				t.Errorf("after the kill the tip is %q, want %q", m.Tip(), old)
			}
			refs := fetch(t, m)
			if refs.Branch.Old != old || refs.Branch.New != g.rev("main") || refs.Branch.Forced {
				t.Errorf("got %+v", refs.Branch)
			}
			if refs.Recloned != "" {
				t.Errorf("cloned anew without need: %s", refs.Recloned)
			}
			fsck(t, m)
			checkNoLeftovers(t, dir)
		})
	}
}

func TestAKilledFetchOfACommitIsRepairedByTheNext(t *testing.T) {
	g := newGitRepo(t)
	allowAny(g)
	g.commit("first", "teams/a.yaml")
	lost := g.pushedAway(1)
	good := serve(t, gitHTTP(t, g)).URL + "/repo.git"
	dir := t.TempDir()
	tip := fetch(t, mirrorIn(t, dir, MirrorOptions{URL: good})).Branch.New
	for _, part := range []int{5, 50, 99} {
		killHalfway(t, g, dir, lost[0], part)
	}
	m := mirrorIn(t, dir, MirrorOptions{URL: good})
	if _, err := m.Tree(t.Context(), lost[0]); m.Tip() != tip || !errors.Is(err, ErrRevision) {
		t.Errorf("after the kill the tip is %q, want %q, and the commit %v", m.Tip(), tip, err)
	}
	if missing, err := m.FetchCommits(t.Context(), lost...); err != nil || missing != nil {
		t.Fatalf("got %v, %v", missing, err)
	}
	has(t, m, lost...)
	if refs := fetch(t, m); refs.Recloned != "" {
		t.Errorf("cloned anew without need: %s", refs.Recloned)
	}
	fsck(t, m)
	checkNoLeftovers(t, dir)
}

func killHalfway(t *testing.T, g *gitRepo, dir string, commit ID, part int) {
	t.Helper()
	sent := make(chan struct{}, 1)
	server := serve(t, halfway(gitHTTP(t, g), part, sent))
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+server.URL+"/repo.git", childCommit+"="+commit.String())
	var output bytes.Buffer
	child.Stdout, child.Stderr = &output, &output
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-sent:
	case err := <-ended:
		t.Fatalf("the child ended by itself: %v\n%s", err, output.String())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func checkNoLeftovers(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("find", dir, "-name", tempPrefix+"*", "-o", "-name", newPrefix+"*", "-o", "-name", oldPrefix+"*").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left behind: %s, %v", out, err)
	}
}
