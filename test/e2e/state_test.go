package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/demo"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/schemas"
)

// state is everything that a user or an auditor can see of a world, in lines
// that two worlds with the same history share.
func (w *world) state() []string {
	w.t.Helper()
	lines := slices.Concat(w.receipts(), w.objects(), w.published(), w.recorded())
	for i, line := range lines {
		lines[i] = commitID.ReplaceAllString(strings.ReplaceAll(line, w.id, "ID"), "COMMIT")
	}
	slices.Sort(lines)
	return lines
}

var commitID = regexp.MustCompile(`\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b`)

func (w *world) list() []schemas.ModelRelease {
	w.t.Helper()
	var list schemas.ModelReleaseList
	w.must(w.Cluster.List(w.t.Context(), &list, client.InNamespace(w.Namespace)))
	return list.Items
}

func (w *world) receipts() []string {
	var lines []string
	for _, r := range w.list() {
		s := r.Status
		line := fmt.Sprintf("receipt %s: phase=%s version=%s revisions=%d", r.Name, s.Phase, s.Version, len(s.History)+1)
		if s.Approved != nil {
			line += fmt.Sprintf(" approved=%s,#%d,%v", s.Approved.Level, s.Approved.PullRequest, s.Approved.By)
		}
		if s.Quarantined != nil {
			line += " quarantined=" + s.Quarantined.Reason
		}
		for _, d := range s.Drift {
			line += fmt.Sprintf(" drift=%s,%s", d.Path, d.State)
		}
		conditions := slices.Clone(s.Conditions)
		slices.SortFunc(conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
		for _, c := range conditions {
			line += fmt.Sprintf(" %s=%s(%s)", c.Type, c.Status, c.Reason)
		}
		lines = append(lines, line)
		for _, i := range s.Inventory {
			lines = append(lines, "in the inventory: "+i.Kind+"/"+i.Namespace+"/"+i.Name)
		}
	}
	return lines
}

// objects lists what carries Mooring's label in the world's namespaces.
func (w *world) objects() []string {
	w.t.Helper()
	var lines []string
	for _, gvk := range release.WatchedKinds {
		if gvk == release.DeploymentKind {
			continue // KServe's own, which bear the labels too
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk)
		w.must(w.Cluster.List(w.t.Context(), list, client.MatchingLabels{schemas.LabelManagedBy: schemas.ManagedByMooring}))
		for _, o := range list.Items {
			if o.GetDeletionTimestamp() != nil {
				continue // pruned, and KServe is putting away what it made of it
			}
			name := o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName()
			if strings.HasSuffix(o.GetNamespace()+o.GetName(), w.id) || strings.Contains(o.GetNamespace(), w.id) {
				lines = append(lines, "in the cluster: "+name, fmt.Sprintf("labels of %s: %v", name, o.GetLabels()), fmt.Sprintf("spec of %s: %v", name, o.Object["spec"]))
			}
		}
	}
	return lines
}

// published lists what stands on GitHub.
func (w *world) published() []string {
	w.t.Helper()
	var lines []string
	for name, commit := range w.commits {
		statuses, err := w.Statuses(w.t.Context(), commit)
		w.must(err)
		for _, context := range slices.Sorted(maps.Keys(statuses)) {
			lines = append(lines, fmt.Sprintf("status of %s: %s=%s %s", name, context, statuses[context].State, statuses[context].Description))
		}
	}
	for _, number := range w.pulls {
		comments, err := w.Comments(w.t.Context(), number)
		w.must(err)
		lines = append(lines, fmt.Sprintf("comments on #%d: %d", number, len(comments)))
	}
	return lines
}

// records reads the audit trail, which has to be unbroken.
func (w *world) records() []audit.Record {
	w.t.Helper()
	file, err := audit.Snapshot(w.AuditFile())
	w.must(err)
	defer func() { w.must(file.Close()) }()
	var records []audit.Record
	for r, err := range audit.Read(file) {
		w.must(err)
		records = append(records, r)
	}
	return records
}

// recorded lists the audit trail's records without what differs by nature.
func (w *world) recorded() []string {
	w.t.Helper()
	var lines []string
	keys := map[string]bool{}
	for _, r := range w.records() {
		if keys[r.Key] {
			w.t.Errorf("the key %s is on record twice", r.Key)
		}
		keys[r.Key] = true
		if r.Phase == audit.PhaseRepair {
			continue // a line that was being written when the process was killed
		}
		lines = append(lines, fmt.Sprintf("on record: %s of %s %s/%s/%s by %s: %s", r.Phase, r.Action,
			r.Subject.Team, r.Subject.Model, r.Subject.Environment, r.Actor, r.Reason))
	}
	return lines
}

// onRecord counts the records of a phase and an action for a unit.
func (w *world) onRecord(phase audit.Phase, action release.Action, unit schemas.Unit) int {
	w.t.Helper()
	n := 0
	for _, r := range w.records() {
		if r.Phase == phase && string(r.Action) == string(action) &&
			r.Subject == (audit.Subject{Repository: demo.RepositoryName, Team: unit.Team, Model: unit.Model, Environment: unit.Environment}) {
			n++
		}
	}
	return n
}

// nothingOrphaned makes sure that the inventories and the cluster agree.
func (w *world) nothingOrphaned() {
	w.t.Helper()
	of := func(lines []string, prefix string) []string {
		var names []string
		for _, l := range lines {
			if name, ok := strings.CutPrefix(l, prefix); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	inventory, live := of(w.receipts(), "in the inventory: "), of(w.objects(), "in the cluster: ")
	if !slices.Equal(inventory, live) {
		w.t.Errorf("the inventories hold\n%s\nthe cluster holds\n%s", strings.Join(inventory, "\n"), strings.Join(live, "\n"))
	}
}

// differences lists the lines that only one of two states has.
func differences(want, got []string) string {
	count := map[string]int{}
	for _, l := range want {
		count[l]--
	}
	for _, l := range got {
		count[l]++
	}
	var out []string
	for _, l := range slices.Sorted(maps.Keys(count)) {
		switch n := count[l]; {
		case n > 0:
			out = append(out, fmt.Sprintf("%d too many: %s", n, l))
		case n < 0:
			out = append(out, fmt.Sprintf("%d missing:  %s", -n, l))
		}
	}
	return strings.Join(out, "\n")
}
