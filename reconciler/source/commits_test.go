package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func subjects(list CommitList) []string {
	var out []string
	for _, c := range list.Commits {
		out = append(out, c.Subject)
	}
	return out
}

func TestCommitsAreThePullRequestsOwn(t *testing.T) {
	const manifest, other = "models/a/m/dev/deployment.yaml", "models/b/m/dev/deployment.yaml"
	tests := []struct {
		name string
		do   func(g *gitRepo) // on branch pr, one commit "own" ahead of main
		want []string
	}{
		{"commits of the branch, newest first", func(g *gitRepo) { g.commit("more", other) }, []string{"more", "own"}},
		{"a merge of the base is left out, and what came by it", func(g *gitRepo) {
			g.git("checkout", "--quiet", "main")
			g.commit("base work", other)
			g.git("checkout", "--quiet", "pr")
			g.merge("update", "main")
		}, []string{"own"}},
		{"a merge of the base that changes a file by itself is listed", func(g *gitRepo) {
			g.git("checkout", "--quiet", "main")
			g.commit("base work", other)
			g.git("checkout", "--quiet", "pr")
			g.git("merge", "--quiet", "--no-commit", "--no-ff", "main")
			g.commit("evil update", manifest)
		}, []string{"evil update", "own"}},
		{"a merge of the base that drops what the base did is listed", func(g *gitRepo) {
			g.git("checkout", "--quiet", "main")
			g.commit("base work", other)
			g.git("checkout", "--quiet", "pr")
			g.git("merge", "--quiet", "-s", "ours", "-m", "lossy update", "main")
		}, []string{"lossy update", "own"}},
		{"a merge of the base that changes only what is outside the known folders is left out", func(g *gitRepo) {
			g.git("checkout", "--quiet", "main")
			g.commit("base work", other)
			g.git("checkout", "--quiet", "pr")
			g.git("merge", "--quiet", "--no-commit", "--no-ff", "main")
			g.commit("update", "README.md")
		}, []string{"own"}},
		{"a merge of another branch is listed with what came by it", func(g *gitRepo) {
			g.git("checkout", "--quiet", "-b", "friend", "main")
			g.commit("friend's work", other)
			g.git("checkout", "--quiet", "pr")
			g.merge("join", "friend")
		}, []string{"join", "friend's work", "own"}},
		{"both sides made the same change, so the merge adds nothing", func(g *gitRepo) {
			g.git("checkout", "--quiet", "main")
			g.write(manifest, "own\n")
			g.commit("same")
			g.git("checkout", "--quiet", "pr")
			g.merge("update", "main")
		}, []string{"own"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := newGitRepo(t)
			g.commit("start", "teams/ds.yaml")
			g.git("checkout", "--quiet", "-b", "pr")
			g.commit("own", manifest)
			tc.do(g)
			list, err := g.open().Commits(t.Context(), g.rev("main"), g.rev("pr"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, subjects(list)); diff != "" {
				t.Errorf("commits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommitsSayWhoWroteThem(t *testing.T) {
	g := newGitRepo(t)
	base := g.commit("start")
	head := g.commit("Raise the limits\n\nBecause.\n\nCo-authored-by: Bo <bo@example.com>\nco-AUTHORED-by: Cy <cy@example.com>")
	list, err := g.open().Commits(t.Context(), base, head)
	if err != nil {
		t.Fatal(err)
	}
	want := CommitList{Commits: []Commit{{
		ID: head, Tree: g.rev("HEAD^{tree}"), Subject: "Raise the limits", Parents: []ID{base},
		Author: Person{"Ada", "ada@example.com"}, Committer: Person{"Grace", "grace@example.com"},
		CoAuthors: []Person{{"Bo", "bo@example.com"}, {"Cy", "cy@example.com"}}, Time: list.Commits[0].Time,
	}}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("commits (-want +got):\n%s", diff)
	}
	if got := list.Commits[0].Time.Unix(); fmt.Sprint(got) != g.git("log", "-1", "--format=%ct") {
		t.Errorf("time %d", got)
	}
}

func TestManyCommitsAreTruncatedAndSayIt(t *testing.T) {
	for n, truncated := range map[int]bool{MaxCommits: false, MaxCommits + 1: true} {
		g := newGitRepo(t)
		base := g.commit("start")
		g.linear("pr", string(base), n)
		list, err := g.open().Commits(t.Context(), base, g.rev("pr"))
		if err != nil || len(list.Commits) != MaxCommits || list.Truncated != truncated {
			t.Errorf("%d commits: got %d, truncated %v, %v", n, len(list.Commits), list.Truncated, err)
		}
	}
}

// linear puts n commits onto a branch at once.
func (g *gitRepo) linear(branch, from string, n int) {
	g.t.Helper()
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter C <c@x> %d +0000\ndata 1\nm\n", branch, g.now.Unix()+int64(i)*60)
		if i == 0 && from != "" {
			fmt.Fprintf(&in, "from %s\n", from)
		}
		fmt.Fprintf(&in, "M 100644 inline teams/a.yaml\ndata %d\n%d\n\n", len(fmt.Sprint(i)), i)
	}
	g.gitIn(in.String(), "fast-import", "--quiet", "--force")
}

func TestCoAuthors(t *testing.T) {
	bo, cy := Person{"Bo", "bo@x"}, Person{"Cy", "cy@x"}
	tests := []struct {
		name, message string
		want          []Person
	}{
		{"one trailer", "subject\n\nCo-authored-by: Bo <bo@x>", []Person{bo}},
		{"any case, other trailers between", "s\n\nCO-AUTHORED-BY: Bo <bo@x>\nSigned-off-by: X <x@x>\nco-authored-by:Cy <cy@x>\n", []Person{bo, cy}},
		{"a body before them", "s\n\nbody\n\nCo-authored-by: Bo <bo@x>", []Person{bo}},
		{"Windows line ends", "s\r\n\r\nbody\r\n\r\nCo-authored-by: Bo <bo@x>\r\nCo-authored-by: Cy <cy@x>\r\n", []Person{bo, cy}},
		{"a folded line", "s\n\nCo-authored-by: Bo\n <bo@x>", []Person{bo}},
		{"the same person twice", "s\n\nCo-authored-by: Bo <bo@x>\nCo-authored-by: Bo <BO@x>", []Person{bo}},
		{"no address", "s\n\nCo-authored-by: octo-bo", []Person{{Name: "octo-bo"}}},
		{"a mention in the body is none", "s\n\nCo-authored-by: Bo <bo@x>\n\nnot the last paragraph", nil},
		{"the subject is none", "Co-authored-by: Bo <bo@x>", nil},
		{"prose in the last paragraph does not hide them", "s\n\nsome words\nCo-authored-by: Bo <bo@x>", []Person{bo}},
		{"blanks at the end", "s\n\nCo-authored-by: Bo <bo@x>\n\n \n", []Person{bo}},
		{"an empty one is nobody", "s\n\nCo-authored-by:", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, coAuthors(tc.message)); diff != "" {
				t.Errorf("co-authors (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzCommit(f *testing.F) {
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\ns\n\nCo-authored-by: Bo <bo@x>\n"))
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A\nauthor B\ncommitter <>\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCommit(data)
		if err != nil {
			return
		}
		for _, p := range append(c.coAuthors, c.author, c.committer) {
			if strings.ContainsAny(p.Name+p.Email, "\n") {
				t.Errorf("%q spans lines", p)
			}
		}
		if strings.Contains(c.subject, "\n") || len(c.subject) > maxSubject {
			t.Errorf("subject %q", c.subject)
		}
	})
}

func FuzzTrailers(f *testing.F) {
	f.Add("s\n\nCo-authored-by: Bo <bo@x>\n")
	f.Add("s\r\n\r\nco-authored-by:\tBo <bo@x\r\n >\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		for _, p := range coAuthors(message) {
			if p.Name == "" && p.Email == "" || strings.Contains(p.Name+p.Email, "\n") {
				t.Errorf("%q of %q", p, message)
			}
		}
		// A trailer added at the end is found, whatever stands before it.
		found := coAuthors("subject\n\n" + message + "\n\nCo-authored-by: Zed <zed@x>")
		if len(found) != 1 || found[0] != (Person{"Zed", "zed@x"}) {
			t.Errorf("found %v", found)
		}
	})
}

func TestTheFirstAuthorOfACommitCounts(t *testing.T) {
	const tree = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
	for _, bad := range []string{"", tree, tree + "author A <a@x> 1 +0000\n\nx", tree + "committer A <a@x> 1 +0000\nauthor B <b@x> 1 +0000\n\nx",
		"tree xyz\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nx"} {
		if _, err := parseCommit([]byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
	c, err := parseCommit([]byte(tree + "author A <a@x> 1 +0000\ncommitter C <c@x> 2 +0000\nauthor B <b@x> 1 +0000\n\nx"))
	if err != nil || c.author.Name != "A" || c.seconds != 2 {
		t.Errorf("got %+v, %v", c, err)
	}
}
