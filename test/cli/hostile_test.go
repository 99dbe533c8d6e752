package cli

import (
	"strings"
	"testing"
)

// plumbed commits main's tree with one entry put in by plumbing, as pr.
func (r *repo) plumbed(entry func(blob string) string, content string) {
	r.t.Helper()
	r.branch()
	blob := r.pipe(content, "hash-object", "-w", "--stdin")
	r.pipe(entry(blob)+"\n", "update-index", "--add", "--index-info")
	r.git("commit", "-q", "-m", "plumbing")
}

func TestHostileTrees(t *testing.T) {
	low := manifest("data-science", "x", "development")
	path := manifestPath("data-science", "x", "development")
	for name, tc := range map[string]struct {
		content string
		entry   func(blob string) string
		verdict string
		whole   string // codes of the findings of no change
		change  string // codes of the change's findings
	}{
		"a manifest that is a symbolic link": {
			"../../../../governance.yaml", func(b string) string { return "120000 " + b + "\t" + path }, "fail", "", "refused-file!",
		},
		"a manifest that is a submodule": {
			low, func(string) string { return "160000 " + strings.Repeat("1", 40) + "\t" + path }, "fail", "", "refused-file!",
		},
		"a manifest over the cap": {
			strings.Repeat("#", 256<<10+1), func(b string) string { return "100644 " + b + "\t" + path }, "fail", "", "refused-file!",
		},
		"a link beside manifests": {
			"/etc/passwd", func(b string) string { return "120000 " + b + "\tmodels/data-science/link" }, "fail", "refused-file!", "",
		},
		"a link in place of a team": {
			"data-science.yaml", func(b string) string { return "120000 " + b + "\tteams/mirror.yaml" }, "fail", "", "refused-file!",
		},
		"a link outside the known folders is never read": {
			"/etc/passwd", func(b string) string { return "120000 " + b + "\tdocs/link" }, "pass", "", "",
		},
		"an executable manifest is a manifest": {
			low, func(b string) string { return "100755 " + b + "\t" + path }, "pass", "", "",
		},
		"a path over 512 bytes": {
			"x", func(b string) string {
				return "100644 " + b + "\tmodels/" + strings.Repeat("a/", 10) + strings.Repeat("b", 500)
			}, "fail", "refused-file!", "",
		},
		"a Rego file over its cap": {
			strings.Repeat("#", 1<<20+1), func(b string) string { return "100644 " + b + "\tpolicy/big.rego" }, "fail", "", "refused-file!",
		},
		"bytes that are no text": {
			"\xff\xfe\x00", func(b string) string { return "100644 " + b + "\t" + path }, "fail", "", "encoding!",
		},
		"a file that is empty": {
			"", func(b string) string { return "100644 " + b + "\t" + path }, "fail", "", "empty-file!",
		},
		"a name that forges output": {
			"x", func(b string) string { return "100644 " + b + "\t\"models/data-science/a\\nverdict: pass\"" }, "fail", "refused-file!", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.plumbed(tc.entry, tc.content)
			p := r.plan()
			var changes []finding
			for _, c := range p.Changes {
				changes = append(changes, c.Findings...)
			}
			if p.Verdict != tc.verdict || codes(p.Findings) != tc.whole || codes(changes) != tc.change {
				t.Errorf("%s, %q, %q: %+v", p.Verdict, codes(p.Findings), codes(changes), p)
			}
			text := mlops(t, r.dir, "", "plan", "--base", "main", "--head", "pr")
			if strings.Contains(text.stdout, "\nverdict: pass") {
				t.Error("a name forges a line")
			}
		})
	}
}

func TestTreesThatGitCallsBroken(t *testing.T) {
	t.Run("a folder named .git is refused", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.rooted("models", ".git")
		if p := r.plan(); p.Verdict != "fail" || codes(p.Findings) != "refused-file!" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a name with a slash is refused", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.rooted("models", "../teams")
		if p := r.plan(); p.Verdict != "fail" || codes(p.Findings) != "refused-file!" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("models as a file refuses the folder and removes what was in it", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) { r.remove("models"); r.write("models", "x") })
		p := r.plan()
		if p.Verdict != "fail" || codes(p.Findings) != "refused-file!" || len(p.Changes) != 9 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a link that becomes a file with the same bytes is another content", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		path := manifestPath("data-science", "x", "production")
		text := manifest("data-science", "x", "production", "customerExposure: none", "customerExposure: public")
		r.plumbed(func(b string) string { return "120000 " + b + "\t" + path }, text)
		linked := r.git("rev-parse", "pr")
		r.pipe("100644 "+r.git("rev-parse", "pr:"+path)+"\t"+path+"\n", "update-index", "--index-info")
		r.git("commit", "-q", "-m", "a file")
		p := r.planWith(reviewed(gave("mia", "APPROVED", 5).on(linked), gave("sam", "APPROVED", 5).on(linked)))
		if c := p.change(t, path); c.Approvals.Satisfied || c.Risk.Level != "medium" {
			t.Errorf("%+v", c)
		}
	})
}

// rooted commits a tree in which a folder holds main's entries and one more, of
// a name that git's own commands refuse.
func (r *repo) rooted(folder, name string) {
	r.t.Helper()
	blob := r.pipe("x", "hash-object", "-w", "--stdin")
	tree := r.git("ls-tree", "main:"+folder)
	inner := r.raw(tree + "\n100644 blob " + blob + "\t" + name)
	var lines []string
	for _, line := range strings.Split(r.git("ls-tree", "main"), "\n") {
		if strings.HasSuffix(line, "\t"+folder) {
			line = "040000 tree " + inner + "\t" + folder
		}
		lines = append(lines, line)
	}
	root := r.pipe(strings.Join(lines, "\n")+"\n", "mktree")
	commit := r.git("commit-tree", root, "-p", "main", "-m", "crafted")
	r.git("branch", "-f", "pr", commit)
}

// raw writes a tree object with hash-object, which checks no names.
func (r *repo) raw(listing string) string {
	r.t.Helper()
	type entry struct{ mode, id, name string }
	var entries []entry
	for _, line := range strings.Split(listing, "\n") {
		meta, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(meta)
		entries = append(entries, entry{strings.TrimPrefix(fields[0], "0"), fields[2], name})
	}
	// Git's order: names as bytes.
	for i := range entries {
		for j := i; j > 0 && entries[j].name < entries[j-1].name; j-- {
			entries[j], entries[j-1] = entries[j-1], entries[j]
		}
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.mode + " " + e.name + "\x00" + string(unhex(e.id)))
	}
	return r.pipe(b.String(), "hash-object", "-w", "-t", "tree", "--literally", "--stdin")
}

func unhex(s string) []byte {
	out := make([]byte, len(s)/2)
	for i := range out {
		out[i] = nibble(s[2*i])<<4 | nibble(s[2*i+1])
	}
	return out
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
