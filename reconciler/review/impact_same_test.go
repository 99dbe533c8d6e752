package review

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// platformEdits change governing files of the fleet, for good or ill, and by two
// at a time what one alone would not.
var platformEdits = []func(b *bytes.Buffer, r *rand.Rand){
	edits[8], edits[9], edits[10], edits[11], edits[12],
	func(b *bytes.Buffer, r *rand.Rand) {
		n := r.IntN(10)
		writeFile(b, fleetTeamPath(n), strings.NewReplacer(`cpu: "10000"`, fmt.Sprintf(`cpu: "%d"`, r.IntN(4)), `"1900000"`, fmt.Sprintf(`"%d"`, 1+r.IntN(300))).Replace(fleetTeam(n)))
	},
	func(b *bytes.Buffer, r *rand.Rand) { fmt.Fprintf(b, "D %s\n", fleetTeamPath(r.IntN(10))) },
	func(b *bytes.Buffer, _ *rand.Rand) { fmt.Fprintf(b, "D environments/development.yaml\n") },
	func(b *bytes.Buffer, r *rand.Rand) {
		writeFile(b, "policy/no.rego", fmt.Sprintf("package mooring\n\nimport rego.v1\n\ndeny contains {\"msg\": \"no\", \"code\": \"%s\"} if endswith(input.manifest.metadata.name, \"%d\")\n",
			[]string{"mine", "quota-exceeded"}[r.IntN(2)], r.IntN(10)))
	},
	func(b *bytes.Buffer, _ *rand.Rand) {
		editExample(b, "overlays/production/scrape.yaml", "kind: InferenceService", "kind: InferenceService # the same")
	},
	func(b *bytes.Buffer, _ *rand.Rand) {
		editExample(b, "governance.yaml", "internal: ", "internally: ") // a fact that manifests state is gone
	},
}

// TestAnImpactIsWhatAskingBothSidesOfEverythingSays holds the impact, which skips
// and remembers, against a plain computation, over random changes of governing
// files of a fleet below the bounds.
func TestAnImpactIsWhatAskingBothSidesOfEverythingSays(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const open = 25
	dir := fleet(t, 25, 1) // nine in production, so that all are rendered
	var b bytes.Buffer
	for i := range open {
		fmt.Fprintf(&b, "commit refs/heads/pr-%d\ncommitter Ada <ada@example.com> 1780000000 +0000\ndata 2\npr\nfrom refs/heads/main\n", i)
		for range 1 + r.IntN(2) {
			platformEdits[r.IntN(len(platformEdits))](&b, r)
		}
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	repo, err := source.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() }) // opened for reading
	cache, base := NewCache(), resolve(t, repo, "main")
	for i := range open {
		head := resolve(t, repo, fmt.Sprintf("pr-%d", i))
		report := judge(t, repo, cache, base, head)
		plain := readPlainly(t, repo, base, head)
		for _, c := range report.Changes {
			if c.Impact == nil || c.Impact.Rendered < c.Impact.Models {
				continue // without a governance, or beyond the bound
			}
			rerendered, broken := plain.reaches(t, c.Path)
			if !slices.Equal(models(c.Impact.Rerendered), rerendered) || c.Impact.Broken != broken {
				t.Errorf("pr-%d, %s: %+v, and plainly %d broken, rendered anew %v", i, c.Path, *c.Impact, broken, rerendered)
			}
		}
	}
}

func models(rerendered []string) []string {
	return slices.DeleteFunc(slices.Clone(rerendered), func(s string) bool { return strings.HasPrefix(s, "tenancy ") })
}

// plainly is both sides of a pull request, read without a cache.
type plainly struct {
	sides     [2]*world
	manifests []parsed
}

func readPlainly(t *testing.T, repo *source.Repository, base, head source.ID) plainly {
	t.Helper()
	var p plainly
	for i, commit := range []source.ID{base, head} {
		r := newReader(repo, nil)
		tree, err := r.tree(t.Context(), commit)
		if err != nil {
			t.Fatal(err)
		}
		if p.sides[i], err = r.world(t.Context(), tree); err != nil {
			t.Fatal(err)
		}
		if p.manifests, err = r.manifests(t.Context(), tree, func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p plainly) reaches(t *testing.T, path string) (rerendered []string, broken int) {
	t.Helper()
	for _, m := range p.manifests {
		if !governs(path, m.doc.Value.Unit(), p.sides[:]...) {
			continue
		}
		var findings [2]schemas.Findings
		var sets [2]desired.Set
		failed := false
		for i, w := range p.sides {
			var wrong schemas.Findings
			sets[i], wrong = w.named("bench").Model(m.doc)
			failed = failed || wrong.Failed()
			findings[i] = slices.Concat(p.stands(w, m.doc), wrong, w.ruled(t.Context(), m.doc, sets[i], Request{Now: benchTime}))
		}
		if !failed && sets[0].Hash != sets[1].Hash {
			rerendered = append(rerendered, m.doc.Value.Unit().String())
		}
		if len(newFaults(findings[0], findings[1])) > 0 {
			broken++
		}
	}
	return rerendered, broken
}

// stands is what references, placement, quota and budget have against a manifest.
func (p plainly) stands(w *world, doc *deployment) schemas.Findings {
	findings := w.Platform.CheckDeployment(doc)
	env := w.environment(doc.Value.Spec.Environment)
	if env == nil {
		return findings
	}
	_, refusals := placement.ForDeployment(env.Spec, doc.Value)
	findings = append(findings, desired.Refusals(doc, refusals)...)
	team := w.team(doc.Value.Spec.Team)
	if team == nil {
		return findings
	}
	var docs []schemas.ModelDeployment
	var fits []fit
	for _, m := range p.manifests {
		if m.doc.Value.Spec.Team == doc.Value.Spec.Team {
			docs = append(docs, m.doc.Value)
			if w.environment(m.doc.Value.Spec.Environment) != nil {
				fits = append(fits, w.fit(m.doc.Value))
			}
		}
	}
	for _, f := range w.totals(team, docs, fits).findings(doc.Value.Spec.Environment) {
		findings = append(findings, desired.Locate(doc, f))
	}
	return findings
}
