package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"github.com/mlops-platform/mooring/schemas"
)

// Apply lays the overlay over the objects of one model or of one tenancy (a set
// that holds the Namespace), and adds the overlay's own objects to a tenancy. It
// does not change the objects that it is given; where nothing of the overlay
// concerns them it returns them as they are, without running kustomize. That
// matters because kustomize's time grows with the square of what it is given.
//
// A finding of severity error means that there are no objects.
func (o *CompiledOverlay) Apply(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, schemas.Findings) {
	base := slices.Concat(objects, o.additions(objects))
	steps := o.concerning(base)
	if len(steps) == 0 {
		return base, nil
	}
	out, problem := applySteps(base, steps)
	if problem == nil {
		return out, nil
	}
	// Which step is to blame: the last of the shortest run of steps that fails.
	n := 1 + sort.Search(len(steps)-1, func(n int) bool {
		_, p := applySteps(base, steps[:n+1])
		return p != nil
	})
	if _, p := applySteps(base, steps[:n]); p != nil {
		problem = p
	}
	w := steps[n-1].where
	return nil, schemas.Findings{{
		Severity: schemas.SeverityError, File: w.file, Line: w.line, Column: w.column,
		Code: problem.code, Message: problem.message, Remedy: problem.remedy,
	}}
}

// additions are the overlay's own objects for a tenancy, in its namespace and
// with its labels, so that they are found, healed and pruned with it.
func (o *CompiledOverlay) additions(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	i := slices.IndexFunc(objects, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == "Namespace" && u.GroupVersionKind().Group == ""
	})
	if i < 0 {
		return nil
	}
	var out []*unstructured.Unstructured
	for _, a := range o.added {
		u := a.content.DeepCopy()
		u.SetNamespace(objects[i].GetName())
		all := u.GetLabels()
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, ownLabels(objects[i]))
		u.SetLabels(all)
		out = append(out, u)
	}
	return out
}

// concerning lists the steps that can select one of the objects.
func (o *CompiledOverlay) concerning(objects []*unstructured.Unstructured) []step {
	ids := make([]resid.ResId, len(objects))
	for i, u := range objects {
		ids[i] = objectID(u)
	}
	var out []step
	for _, s := range o.steps {
		if s.selects == nil || slices.ContainsFunc(ids, s.selects.object) {
			out = append(out, s)
		}
	}
	return out
}

func objectID(u *unstructured.Unstructured) resid.ResId {
	gvk := u.GroupVersionKind()
	return resid.NewResIdWithNamespace(resid.NewGvk(gvk.Group, gvk.Version, gvk.Kind), u.GetName(), u.GetNamespace())
}

// problem is why steps cannot be applied.
type problem struct{ code, message, remedy string }

// applySteps passes to kustomize only the objects that a step can select, and
// puts what comes back in their places. Labels alone are written here: most
// objects get nothing else, and rules and dashboards are long to read and write.
func applySteps(objects []*unstructured.Unstructured, steps []step) ([]*unstructured.Unstructured, *problem) {
	out := slices.Clone(objects)
	var selected []*unstructured.Unstructured
	var places []int
	for i, u := range objects {
		id := objectID(u)
		concerning := slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return !s.needs(id) })
		if slices.ContainsFunc(concerning, func(s step) bool { return !s.labelsAlone() }) {
			selected, places = append(selected, u), append(places, i)
			continue
		}
		for _, s := range concerning {
			out[i] = labelled(out[i], s.label.Pairs)
		}
	}
	if len(selected) == 0 {
		return out, nil
	}
	built, err := build(selected, steps)
	if err != nil {
		return nil, &problem{CodeOverlayBuild, "kustomize: " + oneLine(err.Error()), "correct the overlay, or give the patch a narrower target"}
	}
	if p := verify(selected, built); p != nil {
		return nil, p
	}
	for i, place := range places {
		out[place] = built[i]
	}
	return out, nil
}

// labelled is an object with more labels; the one that is given stays as it is.
func labelled(u *unstructured.Unstructured, labels map[string]string) *unstructured.Unstructured {
	head := (&unstructured.Unstructured{Object: map[string]any{"metadata": u.Object["metadata"]}}).DeepCopy()
	all := head.GetLabels()
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	head.SetLabels(all)
	out := maps.Clone(u.Object)
	out["metadata"] = head.Object["metadata"]
	return &unstructured.Unstructured{Object: out}
}

// build runs kustomize over a file system of our own making. Nothing in it names
// a path of the overlay: patches were inlined and folders flattened when it was
// compiled.
func build(objects []*unstructured.Unstructured, steps []step) (out []*unstructured.Unstructured, err error) {
	// kustomize panics on some malformed patches. One poisoned overlay must not
	// take the process with it.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("internal failure: %v", p)
		}
	}()
	fs := filesys.MakeFsInMemory()
	if err := writeBuild(fs, objects, steps); err != nil {
		return nil, err
	}
	kustomizer := krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionNone,
		LoadRestrictions: types.LoadRestrictionsRootOnly,
		PluginConfig:     types.DisabledPluginConfig(),
	})
	built, err := kustomizer.Run(fs, ".")
	if err != nil {
		return nil, err
	}
	for _, r := range built.Resources() {
		data, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(data); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func writeBuild(fs filesys.FileSystem, objects []*unstructured.Unstructured, steps []step) error {
	const objectsFile = "objects.yaml"
	var all bytes.Buffer
	for _, u := range objects {
		data, err := json.Marshal(u.Object)
		if err != nil {
			return err
		}
		all.WriteString("---\n")
		all.Write(data)
		all.WriteByte('\n')
	}
	if err := fs.WriteFile(objectsFile, all.Bytes()); err != nil {
		return err
	}
	top := types.Kustomization{Resources: []string{objectsFile}}
	for len(steps) > 0 {
		n := slices.IndexFunc(steps, func(s step) bool { return s.layer != steps[0].layer })
		if n < 0 {
			// The last layer is the overlay's own kustomization, or might as well be.
			addSteps(&top, steps)
			break
		}
		layer := types.Kustomization{TypeMeta: types.TypeMeta{APIVersion: types.ComponentVersion, Kind: types.ComponentKind}}
		addSteps(&layer, steps[:n])
		folder := fmt.Sprintf("layer-%d", steps[0].layer)
		if err := writeKustomization(fs, folder+"/", layer); err != nil {
			return err
		}
		top.Components = append(top.Components, folder)
		steps = steps[n:]
	}
	return writeKustomization(fs, "", top)
}

func writeKustomization(fs filesys.FileSystem, prefix string, k types.Kustomization) error {
	// JSON is YAML, and several times faster to write.
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return fs.WriteFile(prefix+kustomizationFile, data)
}

func addSteps(k *types.Kustomization, steps []step) {
	for _, s := range steps {
		switch {
		case s.patch != nil:
			k.Patches = append(k.Patches, *s.patch)
		case s.label != nil:
			k.Labels = append(k.Labels, *s.label)
		case s.annotations != nil:
			k.CommonAnnotations = s.annotations
		case s.image != nil:
			k.Images = append(k.Images, *s.image)
		case s.replacement != nil:
			k.Replacements = append(k.Replacements, *s.replacement)
		}
	}
}

const weakensRemedy = "leave placement, service accounts, quota, limits and traffic to the manifest, the team and the environment, " +
	"whose changes are judged by what they ask for"

// verify holds the overlaid objects against the rendered ones: each is still in
// its place under its name, with Mooring's labels, no weaker than it was, and
// nothing else is there.
func verify(before, after []*unstructured.Unstructured) *problem {
	const remedy = "an overlay changes what is inside an object, never which objects there are, nor Mooring's labels"
	for i, b := range before {
		if i >= len(after) || identity(after[i]) != identity(b) {
			return &problem{CodeOverlayIdentity, "the overlay removes or renames " + identity(b), remedy}
		}
		if !maps.Equal(ownLabels(b), ownLabels(after[i])) {
			return &problem{CodeOverlayIdentity, "the overlay changes Mooring's labels on " + identity(b), remedy}
		}
		if what := weakened(b, after[i]); what != "" {
			return &problem{CodeOverlayWeakens, "the overlay weakens " + identity(b) + ": it " + what, weakensRemedy}
		}
	}
	if len(after) != len(before) {
		return &problem{CodeOverlayIdentity, "the overlay adds an object by other means than resources", remedy}
	}
	return nil
}

func identity(u *unstructured.Unstructured) string {
	name := u.GetName()
	if ns := u.GetNamespace(); ns != "" {
		name = ns + "/" + name
	}
	return u.GetAPIVersion() + " " + u.GetKind() + " " + name
}

// ownLabels are the labels that only Mooring writes.
func ownLabels(u *unstructured.Unstructured) map[string]string {
	all := u.GetLabels()
	maps.DeleteFunc(all, func(key, _ string) bool { return !ownLabel(key) })
	return all
}

// maxProblem bounds what of kustomize's message is shown; it may quote a patch.
const maxProblem = 500

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxProblem {
		s = strings.ToValidUTF8(s[:maxProblem], "") + "…"
	}
	return s
}
