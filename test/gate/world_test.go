package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

type id = source.ID

const (
	manifestPath = "models/data-science/churn/development/deployment.yaml"
	// trustedRules are the governing files that a person vouched for; others
	// seat the stranger.
	trustedRules, otherRules = "trusted rules", "other rules"
)

// manifest has facts that score 16, medium, or for C alone 2, low.
func manifest(version, exposure, sensitivity string) string {
	return `apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata: {name: churn}
spec:
  team: data-science
  environment: development
  model: {name: churn, version: "` + version + `", format: sklearn}
  serving:
    resources:
      requests: {cpu: 500m, memory: 1Gi}
  governance:
    businessImpact: low
    customerExposure: ` + exposure + `
    dataSensitivity: ` + sensitivity + `
    regulations: []
    explainability: none
`
}

// manifests by name. A is what stands at the start and is trusted.
var manifests = map[string]string{
	"A": manifest("1", "direct", "pii"),
	"B": manifest("2", "direct", "pii"),
	"C": manifest("3", "none", "public"),
}

const governance = `apiVersion: mlops-platform.com/v1alpha1
kind: Governance
metadata: {name: governance}
spec:
  roles:
    team-lead: {users: [nobody]}
    manager: {teams: [acme/managers]}
    senior-data-scientist: {users: [SEN, Mia]}
    chair: {users: [nobody]}
    platform-admin: {users: [nobody]}
  risk:
    businessImpact: {none: 0, low: 2, moderate: 5, high: 8, critical: 10}
    customerExposure: {none: 0, internal: 2, indirect: 5, direct: 8, public: 10}
    dataSensitivity: {public: 0, internal: 3, confidential: 5, pii: 8, phi: 10}
    regulations: {gdpr: 4}
    explainability: {none: 0, recommended: 4, required: 8, mandated: 10}
    levels: {medium: 15, high: 30}
  approvals:
    low: {automatic: team-lead, sla: 24h, autoMerge: false, review: 720h}
    medium: {seats: [manager, senior-data-scientist], sla: 48h, review: 336h}
    high: {board: cab, sla: 120h, review: 168h, revalidate: 720h}
  boards:
    cab: {chair: chair, members: [platform-admin], quorum: 1, meets: {weekday: Thursday, from: "14:00", to: "16:00", timeZone: America/New_York}}
  expiry: 720h
  breakGlass: {role: platform-admin}
`

const environment = `apiVersion: mlops-platform.com/v1alpha1
kind: Environment
metadata: {name: development}
spec:
  namespace: "{team}-{environment}"
  kserve: {version: "0.20", mode: Standard}
  drift: report
  capacity: on-demand
  images: {registries: ["registry.example.com/"], digest: optional}
  artifacts: "s3://models/{name}/v{version}"
  pools:
    - name: compute
      labels: {}
      taints: []
      nodes: {min: 0, max: 5, instance: m5.4xlarge}
      allocatable: {cpu: "15", memory: 57Gi}
      price: {onDemand: "0.768", currency: USD, per: hour, source: "a list", date: 2026-07-20}
`

const team = `apiVersion: mlops-platform.com/v1alpha1
kind: Team
metadata: {name: data-science}
spec:
  costCenter: CC-1
  contacts: {slack: "#ds", email: ds@example.com}
  quota: {cpu: "100", memory: 200Gi, gpu: 4}
  budget: {monthly: "19000", currency: USD, warn: 80%, deny: 100%}
`

// files is a tree of this world.
func files(c content) map[string]string {
	rules := governance
	if c.rules == otherRules {
		rules = strings.ReplaceAll(rules, "users: [SEN, Mia]", "users: [SEN, Mia, sam, Ada]")
	}
	return map[string]string{
		"governance.yaml": rules, "environments/development.yaml": environment, "teams/data-science.yaml": team, manifestPath: manifests[c.manifest],
	}
}

// content is what a commit holds, as far as commits of this world differ.
type content struct{ manifest, rules string }

type commit struct {
	content
	parents []id
	author  string
}

// world is one real Git repository that only ever grows, and the map of it. A
// commit that is made twice is the same commit: schedules share them.
type world struct {
	repo *source.Repository
	// cache is the production code's own, of what commits and contents hold.
	cache *review.Cache

	mu      sync.Mutex
	git     *git.Repository
	commits map[id]commit
	made    map[string]id
	listed  map[content]map[string]source.ID
	roots   map[content]plumbing.Hash
	// pasts and bases keep what ancestors and mergeBase found.
	pasts map[id]map[id]bool
	bases map[[2]id]id
}

// longAgo is when every commit was made: none is so fresh that the forge may
// not know it.
var longAgo = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) (w *world, root id) {
	t.Helper()
	dir := t.TempDir()
	g, err := git.PlainInit(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	w = &world{git: g, cache: review.NewCache(), commits: map[id]commit{}, made: map[string]id{}, listed: map[content]map[string]source.ID{}, roots: map[content]plumbing.Hash{},
		pasts: map[id]map[id]bool{}, bases: map[[2]id]id{}}
	root = w.commit("root", "Start", content{"A", trustedRules})
	for manifest := range manifests {
		for _, rules := range []string{trustedRules, otherRules} {
			w.root(content{manifest, rules})
		}
	}
	// In a pack files are found faster than each in a file of its own.
	if err := g.RepackObjects(&git.RepackConfig{}); err != nil {
		t.Fatal(err)
	}
	if w.repo, err = source.Open(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.repo.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, root
}

// commit makes a commit. What it cannot write is a fault of the machine.
func (w *world) commit(author, message string, c content, parents ...id) id {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := fmt.Sprint(author, message, c, parents)
	if made, ok := w.made[key]; ok {
		return made
	}
	who := object.Signature{Name: author, Email: author + "@example.com", When: longAgo}
	o := &object.Commit{Author: who, Committer: who, Message: message, TreeHash: w.root(c)}
	for _, p := range parents {
		o.ParentHashes = append(o.ParentHashes, plumbing.NewHash(p.String()))
	}
	made := id(w.write(o).String())
	w.made[key], w.commits[made] = made, commit{c, parents, author}
	return made
}

// root is the tree of a content, written once.
func (w *world) root(c content) plumbing.Hash {
	if _, known := w.roots[c]; !known {
		w.roots[c] = w.tree(files(c))
	}
	return w.roots[c]
}

type encoder interface {
	Encode(plumbing.EncodedObject) error
}

func (w *world) write(o encoder) plumbing.Hash {
	encoded := w.git.Storer.NewEncodedObject()
	err := o.Encode(encoded)
	var hash plumbing.Hash
	if err == nil {
		hash, err = w.git.Storer.SetEncodedObject(encoded)
	}
	if err != nil {
		panic(fmt.Errorf("write a Git object: %w", err))
	}
	return hash
}

type blob string

func (b blob) Encode(o plumbing.EncodedObject) error {
	o.SetType(plumbing.BlobObject)
	out, err := o.Writer()
	if err != nil {
		return err
	}
	_, err = out.Write([]byte(b))
	return errors.Join(err, out.Close())
}

func (w *world) tree(files map[string]string) plumbing.Hash {
	var t object.Tree
	folders := map[string]map[string]string{}
	for path, text := range files {
		folder, rest, nested := strings.Cut(path, "/")
		if !nested {
			t.Entries = append(t.Entries, object.TreeEntry{Name: path, Mode: filemode.Regular, Hash: w.write(blob(text))})
			continue
		}
		if folders[folder] == nil {
			folders[folder] = map[string]string{}
		}
		folders[folder][rest] = text
	}
	for folder, inside := range folders {
		t.Entries = append(t.Entries, object.TreeEntry{Name: folder, Mode: filemode.Dir, Hash: w.tree(inside)})
	}
	slices.SortFunc(t.Entries, func(a, b object.TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	return w.write(&t)
}

func (w *world) at(c id) content {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commits[c].content
}

func (w *world) info(c id) commit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commits[c]
}

// ancestors of a commit, itself among them. The answer must not be changed.
func (w *world) ancestors(c id) map[id]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.past(c)
}

func (w *world) past(c id) map[id]bool {
	if known := w.pasts[c]; known != nil {
		return known
	}
	found := map[id]bool{c: true}
	for _, p := range w.commits[c].parents {
		maps.Copy(found, w.past(p))
	}
	w.pasts[c] = found
	return found
}

// mergeBase is the common ancestor of which no other is an ancestor. Histories
// of this world have exactly one.
func (w *world) mergeBase(a, b id) id {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.bases[[2]id{a, b}]; ok {
		return known
	}
	var best id
	for c := range w.past(a) {
		if w.past(b)[c] && (best == "" || len(w.past(c)) > len(w.past(best))) {
			best = c
		}
	}
	w.bases[[2]id{a, b}] = best
	return best
}

// between lists the commits of head that base has not, oldest first.
func (w *world) between(base, head id) []id {
	had := w.ancestors(base)
	var list []id
	for c := head; !had[c]; c = w.info(c).parents[0] {
		list = append(list, c)
	}
	slices.Reverse(list)
	return list
}

// authors of what head has and base has not, merged branches among it.
func (w *world) authors(base, head id) map[string]bool {
	found := map[string]bool{}
	had := w.ancestors(base)
	for c := range w.ancestors(head) {
		if !had[c] {
			found[w.info(c).author] = true
		}
	}
	return found
}

// governed lists the files of a commit as the production code does, once for
// each content.
func (w *world) governed(ctx context.Context, c id) (map[string]source.ID, error) {
	key := w.at(c)
	w.mu.Lock()
	list := w.listed[key]
	w.mu.Unlock()
	if list != nil {
		return list, nil
	}
	tree, err := w.repo.Tree(ctx, c)
	if err != nil {
		return nil, err
	}
	list = release.Content(tree)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed[key] = list
	return list, nil
}

// mergedContent is Git's three-way merge, file by file; false where it conflicts.
func mergedContent(base, ours, theirs content) (content, bool) {
	manifest, one := pick(base.manifest, ours.manifest, theirs.manifest)
	rules, other := pick(base.rules, ours.rules, theirs.rules)
	return content{manifest, rules}, one && other
}

func pick(base, ours, theirs string) (string, bool) {
	switch base {
	case ours:
		return theirs, true
	case theirs:
		return ours, true
	}
	return ours, ours == theirs
}
