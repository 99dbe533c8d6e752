package review

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// Codes of what the live cluster says.
const (
	CodeClusterRefuses = "cluster-refuses"
	CodeNotCompared    = "not-compared"
)

// Cluster is asked what a merge would change in the live cluster. It writes
// nothing.
type Cluster interface {
	// Compare tries a unit's desired objects against the live ones; none at all
	// stand for the unit's removal. Nil means that the unit's environment is not
	// this cluster's. An error means that the cluster could not say.
	Compare(ctx context.Context, unit schemas.Unit, objects []*unstructured.Unstructured) (*LiveDiff, error)
}

// LiveDiff is what the cluster holds of a unit, and what a merge would do to it.
type LiveDiff struct {
	// Phase, Version and Revision are those of the release that is in the cluster;
	// empty where there is none.
	Phase    schemas.ReleasePhase `json:"phase,omitempty"`
	Version  string               `json:"version,omitempty"`
	Revision string               `json:"revision,omitempty"`
	// Objects that would change; those that would stay are only counted.
	Objects   []LiveObject `json:"objects"`
	Unchanged int          `json:"unchanged"`
}

// LiveObject is one object that would change.
type LiveObject struct {
	// Object is "Kind/namespace/name".
	Object string `json:"object"`
	// Action is create, change, remove or refused.
	Action string      `json:"action"`
	Fields []LiveField `json:"fields,omitempty"`
	// Refusal is why the cluster would not take it.
	Refusal string `json:"refusal,omitempty"`
}

// LiveField is one field of a live object that would change. Values are at most
// 256 characters each, secrets left out; empty: the field is absent.
type LiveField struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// judgeLive compares what each change would bring with what the cluster holds.
// It is told, and decides nothing: the cluster at the time of the review is not
// the cluster at the time of the release, which tries everything again.
func (e *evaluation) judgeLive(ctx context.Context) error {
	if e.Cluster == nil {
		return nil
	}
	for _, c := range e.report.Changes {
		// What is refused already is not sent to the cluster.
		if c.Platform() || c.Findings.Failed() {
			continue
		}
		var objects []*unstructured.Unstructured
		if c.after != nil {
			r := e.render(keyOf(c.file.After), c.after)
			if r.findings.Failed() {
				continue
			}
			objects = r.set.Objects
		}
		live, err := e.Cluster.Compare(ctx, c.unit(), objects)
		if err != nil {
			e.findNear(c, CodeNotCompared, "the live cluster could not be compared: "+err.Error(), "it is tried again with the next look")
			continue
		}
		c.Live = live
		e.tellRefusals(c)
	}
	return nil
}

func (e *evaluation) tellRefusals(c *Change) {
	if c.Live == nil {
		return
	}
	for i, o := range c.Live.Objects {
		for j, f := range o.Fields {
			c.Live.Objects[i].Fields[j].Before, c.Live.Objects[i].Fields[j].After = c.hide(f.Before), c.hide(f.After)
		}
		if o.Refusal == "" {
			continue
		}
		c.Live.Objects[i].Refusal = c.hide(o.Refusal)
		e.findNear(c, CodeClusterRefuses, fmt.Sprintf("the live cluster would refuse %s today: %s", o.Object, o.Refusal),
			"the release would fail as long as this holds; correct the manifest, or what stands in the way in the cluster")
	}
}

// findNear files a warning of the build stage at the manifest.
func (e *evaluation) findNear(c *Change, code, message, remedy string) {
	f := schemas.Finding{
		Severity: schemas.SeverityWarning, File: c.Path, Line: 1, Column: 1, Code: code, Message: message, Remedy: remedy,
	}
	if c.after != nil {
		f = desired.At(c.after, schemas.SeverityWarning, "spec", code, message, remedy)
	}
	e.find(c, policy.StageBuild, f)
}

// headline says in one line what the cluster holds and what would become of it.
func (d *LiveDiff) headline() string {
	holds := "holds nothing of this model"
	if d.Version != "" {
		holds = "runs version " + d.Version
		if d.Revision != "" {
			holds += fmt.Sprintf(" from %.12s", d.Revision)
		}
	}
	if d.Phase != "" && d.Phase != schemas.PhaseLive {
		holds += fmt.Sprintf(" (%s)", d.Phase)
	}
	if len(d.Objects) == 0 {
		return holds + "; the merge would change nothing in it"
	}
	would := map[string]int{}
	for _, o := range d.Objects {
		would[o.Action]++
	}
	var parts []string
	for _, action := range []string{"create", "change", "remove", "refused"} {
		if n := would[action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", action, n))
		}
	}
	return fmt.Sprintf("%s; of %s the merge would: %s", holds, plural(len(d.Objects)+d.Unchanged, "object"), strings.Join(parts, ", "))
}

// maxLiveLines bounds what is listed of a model in a comment.
const maxLiveLines = 60

// lines lists the changes, one a line, cut to what fits.
func (d *LiveDiff) lines() string {
	var b strings.Builder
	listed, all := 0, 0
	line := func(format string, args ...any) {
		if all++; listed < maxLiveLines {
			listed++
			fmt.Fprintf(&b, format+"\n", args...)
		}
	}
	for _, o := range d.Objects {
		line("%s %s", o.Action, o.Object)
		if o.Refusal != "" {
			line("    %s", o.Refusal)
		}
		for _, f := range o.Fields {
			line("    %s: %s → %s", f.Path, orAbsent(f.Before), orAbsent(f.After))
		}
	}
	if more := all - listed; more > 0 {
		fmt.Fprintf(&b, "and %s\n", plural(more, "more line"))
	}
	return b.String()
}

func orAbsent(s string) string {
	if s == "" {
		return "(absent)"
	}
	return s
}
