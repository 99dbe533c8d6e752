package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// allowAny has git's own servers give out any object that there is, as GitHub does.
func allowAny(g *gitRepo) { g.t.Helper(); g.git("config", "uploadpack.allowAnySHA1InWant", "true") }

// unknown is a commit that nobody has.
var unknown = ID(strings.Repeat("12", 20))

// pushedAway makes commits on the branch's tip to which no reference leads.
func (g *gitRepo) pushedAway(n int) []ID {
	g.t.Helper()
	var lost []ID
	for i := range n {
		tip := g.commit(fmt.Sprintf("lost %d", i), "teams/lost.yaml")
		g.git("reset", "--quiet", "--hard", "HEAD~1")
		lost = append(lost, tip)
	}
	return lost
}

func has(t testing.TB, m *Mirror, ids ...ID) {
	t.Helper()
	for _, id := range ids {
		tree, err := m.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Read(t.Context(), "teams/lost.yaml"); err != nil {
			t.Error(err)
		}
	}
}

func TestFetchCommitsBringsWhatWasPushedAway(t *testing.T) {
	for name := range remotes(t, newGitRepo(t)) {
		t.Run("over "+name, func(t *testing.T) {
			g := newGitRepo(t)
			allowAny(g)
			g.commit("old", "teams/a.yaml")
			lost := g.pushedAway(2)
			tip := g.commit("first", "teams/a.yaml")
			dir, options := t.TempDir(), remotes(t, g)[name]
			m := mirrorIn(t, dir, options)
			fetch(t, m)
			if _, err := m.Tree(t.Context(), lost[0]); !errors.Is(err, ErrRevision) {
				t.Fatalf("before: got %v, want ErrRevision", err)
			}
			other := ID(strings.Repeat("34", 20))
			missing, err := m.FetchCommits(t.Context(), unknown, lost[0], tip, other, lost[1], lost[0])
			slices.Sort(missing)
			if err != nil || !slices.Equal(missing, []ID{unknown, other}) {
				t.Fatalf("got %v, %v, want those that nobody has", missing, err)
			}
			has(t, m, lost...)
			fsck(t, m)
			if refs := fetch(t, m); refs.Recloned != "" || refs.Branch.Changed() {
				t.Errorf("the next fetch: %+v", refs)
			}
			if err := m.store.close(); err != nil {
				t.Fatal(err)
			}
			has(t, mirrorIn(t, dir, options), lost...)
		})
	}
}

func TestARemoteMayGiveOutItsReferencesAlone(t *testing.T) {
	for name := range remotes(t, newGitRepo(t)) {
		if strings.Contains(name, "path") || strings.Contains(name, "file") {
			continue // nobody is there to refuse
		}
		t.Run("over "+name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("first", "teams/a.yaml")
			lost := g.pushedAway(2)
			m := newMirror(t, remotes(t, g)[name])
			fetch(t, m)
			missing, err := m.FetchCommits(t.Context(), lost...)
			slices.Sort(missing)
			slices.Sort(lost)
			if err != nil || !slices.Equal(missing, lost) {
				t.Errorf("got %v, %v, want %v", missing, err, lost)
			}
		})
	}
}

func TestWhatIsThereIsNotAskedFor(t *testing.T) {
	g := newGitRepo(t)
	allowAny(g)
	tip := g.commit("first", "teams/a.yaml")
	lost := g.pushedAway(3)
	var asked atomic.Int32
	backend := gitHTTP(t, g)
	m := newMirror(t, MirrorOptions{URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		backend.ServeHTTP(w, r)
	})).URL + "/repo.git"})
	fetch(t, m)
	for i, step := range []struct {
		commits  []ID
		requests int32
	}{{nil, 0}, {[]ID{tip}, 0}, {lost, 2}, {append(lost, tip), 0}} {
		asked.Store(0)
		if missing, err := m.FetchCommits(t.Context(), step.commits...); err != nil || missing != nil {
			t.Errorf("step %d: got %v, %v", i, missing, err)
		}
		if got := asked.Load(); got != step.requests {
			t.Errorf("step %d made %d requests, want %d", i, got, step.requests)
		}
	}
}

func TestCommitsThatCannotBeAskedForAreNotMissing(t *testing.T) {
	many := make([]ID, MaxWanted+1)
	for i := range many {
		many[i] = ID(fmt.Sprintf("%040x", i+1))
	}
	for name, tc := range map[string]struct {
		spoil   func(t *testing.T, m *Mirror, broken *atomic.Value)
		commits []ID
		want    error
	}{
		"a server in trouble":             {spoil: breaks("/git-upload-pack"), want: ErrUnreachable},
		"a server that lists nothing":     {spoil: breaks("/info/refs"), want: ErrUnreachable},
		"a mirror that is closed":         {spoil: func(t *testing.T, m *Mirror, _ *atomic.Value) { closeMirror(t, m) }, want: os.ErrClosed},
		"a mirror that is damaged":        {spoil: func(_ *testing.T, m *Mirror, _ *atomic.Value) { m.distrust("spoilt") }, want: ErrCorrupt},
		"a copy that is gone":             {spoil: func(t *testing.T, m *Mirror, _ *atomic.Value) { removeAll(t, m.current()) }, want: ErrMissing},
		"more commits than are asked for": {spoil: func(*testing.T, *Mirror, *atomic.Value) {}, commits: many, want: errTooMany},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitRepo(t)
			allowAny(g)
			g.commit("first", "teams/a.yaml")
			lost := g.pushedAway(1)
			var broken atomic.Value
			broken.Store("")
			backend := gitHTTP(t, g)
			m, err := NewMirror(t.TempDir(), MirrorOptions{Branch: "main", URL: serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if end := broken.Load().(string); end != "" && strings.HasSuffix(r.URL.Path, end) {
					http.Error(w, "upload-pack: not our ref "+lost[0].String(), http.StatusInternalServerError)
					return
				}
				backend.ServeHTTP(w, r)
			})).URL + "/repo.git"})
			if err != nil {
				t.Fatal(err)
			}
			fetch(t, m)
			tc.spoil(t, m, &broken)
			missing, err := m.FetchCommits(t.Context(), append(tc.commits, lost...)...)
			if !errors.Is(err, tc.want) || len(missing) > 0 {
				t.Errorf("got %v, %v, want %v", missing, err, tc.want)
			}
		})
	}
	t.Run("a context that has ended", func(t *testing.T) {
		g := newGitRepo(t)
		g.commit("first", "teams/a.yaml")
		m := newMirror(t, remotes(t, g)["ssh"])
		fetch(t, m)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if missing, err := m.FetchCommits(ctx, unknown); !errors.Is(err, context.Canceled) || missing != nil {
			t.Errorf("got %v, %v", missing, err)
		}
	})
}

func breaks(end string) func(*testing.T, *Mirror, *atomic.Value) {
	return func(_ *testing.T, _ *Mirror, broken *atomic.Value) { broken.Store(end) }
}

func closeMirror(t *testing.T, m *Mirror) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func removeAll(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func TestFetchedCommitsOutliveTheJoiningOfPacks(t *testing.T) {
	g := newGitRepo(t)
	g.commit("first", "teams/a.yaml")
	m := newMirror(t, MirrorOptions{URL: g.dir})
	fetch(t, m)
	lost := g.pushedAway(maxPacks + 3)
	for _, id := range lost {
		if missing, err := m.FetchCommits(t.Context(), id); err != nil || missing != nil {
			t.Fatalf("got %v, %v", missing, err)
		}
	}
	if n := len(glob(t, m.current(), "*.pack")); n > 10 {
		t.Errorf("%d packs after %d fetches", n, len(lost))
	}
	has(t, m, lost...)
	fsck(t, m)
}
