package release

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	manifest = "models/risk/fraud/production/deployment.yaml"
	platform = "teams/risk.yaml"
	blobA    = source.ID("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	blobB    = source.ID("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
	blobC    = source.ID("cccccccccccccccccccccccccccccccccccccccc")
	gone     = source.ID("")
	tip      = source.ID("1111111111111111111111111111111111111111")
)

var judgedAt = time.Date(2026, 3, 2, 10, 0, 0, 123, time.UTC)

// mergeOf is an approved merge that left a blob at a path.
func mergeOf(number int, path string, blob source.ID) Merge {
	commit := source.ID(fmt.Sprintf("%040x", number))
	return Merge{PullRequest: number, Commit: commit, Files: map[string]MergedFile{path: {
		Blob:     blob,
		Approved: &schemas.ApprovedFile{Path: path, Blob: blob.String(), Commit: commit.String(), PullRequest: number},
	}}}
}

func refusedMerge(number int, path string, blob source.ID) Merge {
	m := mergeOf(number, path, blob)
	m.Files[path] = MergedFile{Blob: blob, Refusal: fmt.Sprintf("pull request #%d was merged without its approvals", number)}
	return m
}

func unknownMerge(number int, path string, blob source.ID) Merge {
	m := refusedMerge(number, path, blob)
	m.Files[path], m.Unknown = MergedFile{Blob: blob}, "the forge does not answer"
	return m
}

func ledgerOf(path string, approved, quarantined source.ID) Ledger {
	l := NewLedger()
	if approved != gone {
		l.Approved[path] = schemas.ApprovedFile{Path: path, Blob: approved.String(), Commit: "before"}
	}
	if quarantined != gone {
		l.Quarantined[path] = schemas.QuarantinedFile{Path: path, Blob: quarantined.String(), Commit: "before"}
	}
	return l
}

func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name     string
		path     string
		before   Ledger
		branch   source.ID
		merges   []Merge
		approved source.ID // that stands after
		held     string    // blob that is quarantined after; "-" for none, "" for a removal
		decided  string
		because  string
	}{
		{"approved content stays clean", manifest, ledgerOf(manifest, blobA, gone), blobA, nil, blobA, "-", "", ""},
		{"a push back to the approved content lifts the quarantine", manifest, ledgerOf(manifest, blobA, blobB), blobA, nil, blobA, "-", "restored", ""},
		{"other content without a merge is quarantined", manifest, ledgerOf(manifest, blobA, gone), blobB, nil, blobA, blobB.String(), "quarantined", "it reached the branch without a pull request"},
		{"other content by an approved merge is taken over", manifest, ledgerOf(manifest, blobA, gone), blobB, []Merge{mergeOf(1, manifest, blobB)}, blobB, "-", "approved", ""},
		{"other content by an approved merge lifts the quarantine", manifest, ledgerOf(manifest, blobA, blobC), blobB, []Merge{mergeOf(1, manifest, blobB)}, blobB, "-", "approved,restored", ""},
		{"a merge without approvals is quarantined", manifest, ledgerOf(manifest, blobA, gone), blobB, []Merge{refusedMerge(1, manifest, blobB)}, blobA, blobB.String(), "quarantined", "without its approvals"},
		{"a direct push over an approved merge leaves the merge's content standing", manifest, ledgerOf(manifest, blobA, gone), blobC, []Merge{mergeOf(1, manifest, blobB)}, blobB, blobC.String(), "approved,quarantined", "without a pull request"},
		{"a push back behind an approved merge is quarantined, though it was approved once", manifest, ledgerOf(manifest, blobA, gone), blobB, []Merge{mergeOf(1, manifest, blobB), mergeOf(2, manifest, blobC)}, blobC, blobB.String(), "approved,quarantined", ""},
		{"an approved merge back to older content is taken over", manifest, ledgerOf(manifest, blobA, gone), blobA, []Merge{mergeOf(1, manifest, blobB), mergeOf(2, manifest, blobA)}, blobA, "-", "approved", ""},
		{"a refused merge over an approved one is quarantined", manifest, ledgerOf(manifest, blobA, gone), blobC, []Merge{mergeOf(1, manifest, blobB), refusedMerge(2, manifest, blobC)}, blobB, blobC.String(), "approved,quarantined", "#2"},
		{"what is not known yet is left as it is", manifest, ledgerOf(manifest, blobA, gone), blobB, []Merge{unknownMerge(1, manifest, blobB)}, blobA, "-", "", ""},
		{"a direct push over what is not known yet is quarantined", manifest, ledgerOf(manifest, blobA, gone), blobC, []Merge{unknownMerge(1, manifest, blobB)}, blobA, blobC.String(), "quarantined", ""},
		{"an approved merge over what is not known yet is taken over", manifest, ledgerOf(manifest, blobA, gone), blobC, []Merge{unknownMerge(1, manifest, blobB), mergeOf(2, manifest, blobC)}, blobC, "-", "approved", ""},
		{"what is quarantined already stays so", manifest, ledgerOf(manifest, blobA, blobB), blobB, nil, blobA, blobB.String(), "", ""},
		{"further unapproved content takes its place", manifest, ledgerOf(manifest, blobA, blobB), blobC, nil, blobA, blobC.String(), "quarantined", ""},
		{"a removal without a merge is quarantined", manifest, ledgerOf(manifest, blobA, gone), gone, nil, blobA, "", "quarantined", "without a pull request"},
		{"an approved removal takes the model out", manifest, ledgerOf(manifest, blobA, gone), gone, []Merge{mergeOf(1, manifest, gone)}, gone, "-", "removed", ""},
		{"an approved removal that is undone by a push stands", manifest, ledgerOf(manifest, blobA, gone), blobA, []Merge{mergeOf(1, manifest, gone)}, gone, blobA.String(), "removed,quarantined", "it reached the branch without a pull request"},
		{"a new manifest without a merge is quarantined", manifest, NewLedger(), blobA, nil, gone, blobA.String(), "quarantined", "no approval of this file is on record here"},
		{"a new manifest by an approved merge is taken over", manifest, NewLedger(), blobA, []Merge{mergeOf(1, manifest, blobA)}, blobA, "-", "approved", ""},
		{"a manifest that a merge brought and a push removed stays", manifest, NewLedger(), gone, []Merge{mergeOf(1, manifest, blobA)}, blobA, "", "approved,quarantined", ""},
		{"a manifest that was never approved is forgotten when it is gone", manifest, ledgerOf(manifest, gone, blobA), gone, nil, gone, "-", "restored", ""},
		{"the approved removal of what was never approved removes nothing", manifest, ledgerOf(manifest, gone, blobA), gone, []Merge{mergeOf(1, manifest, gone)}, gone, "-", "restored", ""},
		{"a governing file is judged alike", platform, ledgerOf(platform, blobA, gone), blobB, nil, blobA, blobB.String(), "quarantined", ""},
		{"a governing file's approved removal forgets it", platform, ledgerOf(platform, blobA, gone), gone, []Merge{mergeOf(1, platform, gone)}, gone, "-", "removed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			content := map[string]source.ID{}
			if test.branch != gone {
				content[test.path] = test.branch
			}
			next, decisions := test.before.Judge(tip, content, test.merges, judgedAt)
			if got := next.Approved[test.path].Blob; got != test.approved.String() {
				t.Errorf("approved is %q, want %q", got, test.approved)
			}
			q, held := next.Quarantined[test.path]
			if got := q.Blob; held != (test.held != "-") || held && got != test.held {
				t.Errorf("quarantined is %q (%v), want %q", got, held, test.held)
			}
			if !strings.Contains(q.Reason, test.because) {
				t.Errorf("the reason %q does not say %q", q.Reason, test.because)
			}
			if got := kinds(decisions); got != test.decided {
				t.Errorf("decided %q, want %q", got, test.decided)
			}
			if again, more := next.Judge(tip, content, test.merges, judgedAt); len(more) > 0 || !same(again, next) {
				t.Errorf("judged again, it decides %q", kinds(more))
			}
		})
	}
}

func kinds(decisions []Decision) string {
	var out []string
	for _, d := range decisions {
		switch {
		case d.Quarantined != nil:
			out = append(out, "quarantined")
		case d.Restored:
			out = append(out, "restored")
		case d.Removed():
			out = append(out, "removed")
		case d.Approved != nil:
			out = append(out, "approved")
		default:
			out = append(out, "nothing")
		}
	}
	return strings.Join(out, ",")
}

func same(a, b Ledger) bool {
	return maps.EqualFunc(a.Approved, b.Approved, func(x, y schemas.ApprovedFile) bool { return x.Blob == y.Blob && x.Commit == y.Commit }) &&
		maps.EqualFunc(a.Quarantined, b.Quarantined, func(x, y schemas.QuarantinedFile) bool { return x.Blob == y.Blob })
}

func TestManifestAddedAgainAfterItsRemoval(t *testing.T) {
	removed, _ := ledgerOf(manifest, blobA, gone).Judge(tip, nil, []Merge{mergeOf(1, manifest, gone)}, judgedAt)
	if a, kept := removed.Approved[manifest]; !kept || a.Blob != "" || a.PullRequest != 1 {
		t.Fatalf("the approved removal is not kept: %+v", a)
	}
	content := map[string]source.ID{manifest: blobA}
	pushed, decisions := removed.Judge(tip, content, nil, judgedAt)
	if kinds(decisions) != "quarantined" || pushed.Approved[manifest].Blob != "" {
		t.Errorf("the removed content came back by a push: %s", kinds(decisions))
	}
	back, decisions := removed.Judge(tip, content, []Merge{mergeOf(2, manifest, blobA)}, judgedAt)
	if kinds(decisions) != "approved" || back.Approved[manifest].Blob != blobA.String() {
		t.Errorf("the approved addition was not taken over: %s", kinds(decisions))
	}
}

func TestTrust(t *testing.T) {
	before := ledgerOf(manifest, blobA, blobB)
	before.Approved[platform] = schemas.ApprovedFile{Path: platform, Blob: blobA.String()}
	next, decisions := before.Trust(map[string]source.ID{manifest: blobB}, tip)
	if next.Approved[manifest].Blob != blobB.String() || len(next.Quarantined) > 0 {
		t.Errorf("the trusted content is not what stands: %+v", next)
	}
	if _, kept := next.Approved[platform]; kept || kinds(decisions) != "approved,removed" {
		t.Errorf("what the trusted commit lacks is still there; decided %s", kinds(decisions))
	}
	if _, again := next.Trust(map[string]source.ID{manifest: blobB}, tip); len(again) > 0 {
		t.Errorf("trusted again, it decides %s", kinds(again))
	}
}

func TestMassRemovalNeedsAPersonToNameTheCommit(t *testing.T) {
	ledger := func(n int) (Ledger, []string) {
		l := NewLedger()
		var paths []string
		for i := range n {
			path := fmt.Sprintf("models/t/m%d/production/deployment.yaml", i)
			l.Approved[path], paths = schemas.ApprovedFile{Path: path, Blob: blobA.String()}, append(paths, path)
		}
		l.Approved["models/t/removed/production/deployment.yaml"] = schemas.ApprovedFile{}
		return l, paths
	}
	for _, test := range []struct {
		name         string
		all, removed int
		allowed      string
		refused      bool
	}{
		{"a handful is fine, even if it is all", 5, 5, "", false},
		{"more than a handful, but few of all", 100, 30, "", false},
		{"more than three in ten", 100, 31, "", true},
		{"six of six", 6, 6, "", true},
		{"six of six, and the commit is named", 6, 6, tip.String(), false},
		{"six of six, and another commit is named", 6, 6, strings.Repeat("2", 40), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, paths := ledger(test.all)
			var merges []Merge
			content := map[string]source.ID{}
			for i, path := range paths {
				if content[path] = blobA; i < test.removed {
					delete(content, path)
					merges = append(merges, mergeOf(i+1, path, gone))
				}
			}
			_, decisions := before.Judge(tip, content, merges, judgedAt)
			err := CheckRemovals(before, decisions, tip.String(), test.allowed)
			if (err != nil) != test.refused {
				t.Errorf("got %v, want refused %v", err, test.refused)
			}
			if err != nil && !strings.Contains(err.Error(), AnnotationAllowRemovals+"="+tip.String()) {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}

var paths = []string{manifest, platform, "governance.yaml", "models/risk/fraud/staging/deployment.yaml"}

func drawContent(t *rapid.T) map[string]source.ID {
	content := map[string]source.ID{}
	for _, path := range paths {
		if blob := rapid.SampledFrom([]source.ID{gone, blobA, blobB, blobC}).Draw(t, "content of "+path); blob != gone {
			content[path] = blob
		}
	}
	return content
}

func drawLedger(t *rapid.T) Ledger {
	l, _ := NewLedger().Trust(drawContent(t), "trusted")
	l, _ = l.Judge(tip, drawContent(t), nil, judgedAt)
	return l
}

// drawStep is a change of the branch: by a merge, approved or not, or a push.
func drawStep(t *rapid.T, number int, content map[string]source.ID) (map[string]source.ID, *Merge) {
	after := maps.Clone(content)
	path := rapid.SampledFrom(paths).Draw(t, "path")
	blob := rapid.SampledFrom([]source.ID{gone, blobA, blobB, blobC}).Draw(t, "blob")
	if after[path] = blob; blob == gone {
		delete(after, path)
	}
	var m Merge
	switch rapid.SampledFrom([]string{"push", "approved", "refused"}).Draw(t, "by") {
	case "push":
		return after, nil
	case "approved":
		m = mergeOf(number, path, blob)
	default:
		m = refusedMerge(number, path, blob)
	}
	return after, &m
}

func TestApprovedContentChangesByAnApprovedMergeAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawLedger(t)
		content := drawContent(t)
		var merges []Merge
		allowed := map[string][]string{}
		for i := range rapid.IntRange(0, 4).Draw(t, "steps") {
			var m *Merge
			if content, m = drawStep(t, i+1, content); m == nil {
				continue
			}
			merges = append(merges, *m)
			for path, f := range m.Files {
				if f.Approved != nil {
					allowed[path] = append(allowed[path], f.Approved.Blob)
				}
			}
		}
		after, _ := before.Judge(tip, content, merges, judgedAt)
		for _, path := range paths {
			was, is := before.Approved[path].Blob, after.Approved[path].Blob
			if was != is && !slices.Contains(allowed[path], is) {
				t.Fatalf("%s went from %q to %q; approved were %v", path, was, is, allowed[path])
			}
			if q, held := after.Quarantined[path]; held && (q.Blob == is || q.Blob != content[path].String()) {
				t.Fatalf("%s: quarantined is %q, approved %q, on the branch %q", path, q.Blob, is, content[path])
			}
			if _, held := after.Quarantined[path]; !held && is != content[path].String() {
				t.Fatalf("%s: the branch holds %q, approved is %q, and nothing is quarantined", path, content[path], is)
			}
		}
		if _, more := after.Judge(tip, content, merges, judgedAt); len(more) > 0 {
			t.Fatalf("judged twice, it decides %s", kinds(more))
		}
	})
}

func TestJudgingStepByStepAndAtOnceComeToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := drawLedger(t)
		atOnce := step.clone()
		content := drawContent(t)
		step, _ = step.Judge(tip, content, nil, judgedAt)
		var all []Merge
		for i := range rapid.IntRange(1, 6).Draw(t, "steps") {
			var m *Merge
			var merges []Merge
			if content, m = drawStep(t, i+1, content); m != nil {
				merges = []Merge{*m}
				all = append(all, *m)
			}
			step, _ = step.Judge(tip, content, merges, judgedAt)
		}
		atOnce, _ = atOnce.Judge(tip, content, all, judgedAt)
		for _, path := range paths {
			if a, b := step.Approved[path].Blob, atOnce.Approved[path].Blob; a != b {
				t.Fatalf("%s: step by step %q stands, at once %q", path, a, b)
			}
			a, heldA := step.Quarantined[path]
			if b, heldB := atOnce.Quarantined[path]; heldA != heldB || a.Blob != b.Blob {
				t.Fatalf("%s: step by step %q is quarantined, at once %q", path, a.Blob, b.Blob)
			}
		}
	})
}

func TestUnknownMergesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := drawContent(t)
		before, _ := drawLedger(t).Judge(tip, content, nil, judgedAt)
		path := rapid.SampledFrom(paths).Draw(t, "path")
		blob := rapid.SampledFrom([]source.ID{gone, blobA, blobB, blobC}).Draw(t, "blob")
		if content[path] = blob; blob == gone {
			delete(content, path)
		}
		after, _ := before.Judge(tip, content, []Merge{unknownMerge(1, path, blob)}, judgedAt)
		if !maps.EqualFunc(before.Approved, after.Approved, func(a, b schemas.ApprovedFile) bool { return a.Blob == b.Blob }) {
			t.Fatalf("something was taken over: %v, then %v", before.Approved, after.Approved)
		}
		if q, held := after.Quarantined[path]; held && before.Quarantined[path].Blob != q.Blob {
			t.Fatalf("%q was quarantined before it was judged", q.Blob)
		}
	})
}

func BenchmarkJudge5000Files(b *testing.B) {
	l, content := NewLedger(), map[string]source.ID{}
	for i := range 5000 {
		path := fmt.Sprintf("models/team%d/model%d/production/deployment.yaml", i%50, i)
		content[path] = blobA
		l.Approved[path] = schemas.ApprovedFile{Path: path, Blob: blobA.String()}
	}
	content["models/team1/model1/production/deployment.yaml"] = blobB
	merges := []Merge{mergeOf(1, "models/team1/model1/production/deployment.yaml", blobB)}
	for b.Loop() {
		l.Judge(tip, content, merges, judgedAt)
	}
}
