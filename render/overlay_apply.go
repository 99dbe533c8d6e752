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
	added, taken := o.additions(objects)
	if taken != nil {
		return nil, taken
	}
	base := slices.Concat(objects, added)
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

// applySteps does the steps on the objects that they can select, and passes to
// kustomize those for which it is needed.
func applySteps(objects []*unstructured.Unstructured, steps []step) ([]*unstructured.Unstructured, *problem) {
	out := slices.Clone(objects)
	var direct, done, selected []*unstructured.Unstructured
	var places []int
	for i, u := range objects {
		id := objectID(u)
		if !slices.ContainsFunc(steps, func(s step) bool { return s.needs(id) }) {
			continue
		}
		if after, ok := applyDirect(u, steps); ok {
			direct, done, out[i] = append(direct, u), append(done, after), after
		} else {
			selected, places = append(selected, u), append(places, i)
		}
	}
	if p := verify(direct, done); p != nil {
		return nil, p
	}
	if len(selected) == 0 {
		return out, nil
	}
	built, err := build(selected, steps)
	if err != nil {
		return nil, &problem{CodeOverlayBuild, "kustomize: " + oneLine(err.Error()), "correct the overlay, or give the entry a narrower target"}
	}
	if p := verify(selected, built); p != nil {
		return nil, p
	}
	for i, place := range places {
		out[place] = built[i]
	}
	return out, nil
}

// build does the steps by kustomize: replacements one by one, and what lies between
// them together.
func build(objects []*unstructured.Unstructured, steps []step) (out []*unstructured.Unstructured, err error) {
	// kustomize panics on some malformed patches. One poisoned overlay must not
	// take the process with it.
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("internal failure: %v", p)
		}
	}()
	for out = objects; len(steps) > 0 && err == nil; {
		if r := steps[0].replacement; r != nil {
			out, err = replace(out, r.Replacement)
			steps = steps[1:]
			continue
		}
		n := slices.IndexFunc(steps, func(s step) bool { return s.replacement != nil })
		if n < 0 {
			n = len(steps)
		}
		out, err = kustomize(out, steps[:n])
		steps = steps[n:]
	}
	return out, err
}

// kustomize runs kustomize over a file system of our own making. Nothing in it
// names a path of the overlay: patches were inlined and folders flattened when it
// was compiled.
func kustomize(objects []*unstructured.Unstructured, steps []step) (out []*unstructured.Unstructured, err error) {
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
		u, err := fromKustomize(r)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// fromKustomize is what kustomize has made, as Kubernetes' own type.
func fromKustomize(made json.Marshaler) (*unstructured.Unstructured, error) {
	data, err := made.MarshalJSON()
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	return u, u.UnmarshalJSON(data)
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
		}
	}
}

const weakensRemedy = "set it in the manifest, or in the team's or the environment's file, where placement, quota and cost are judged"

// verify holds the overlaid objects against the rendered ones: each is still in
// its place under its name, with Mooring's labels, no weaker than it was, and
// nothing else is there.
func verify(before, after []*unstructured.Unstructured) *problem {
	const remedy = "an overlay changes what is inside an object, never which objects there are, nor Mooring's labels"
	for i, b := range before {
		if i >= len(after) || identity(after[i]) != identity(b) {
			return &problem{CodeOverlayIdentity, "the overlay removes or renames " + identity(b), remedy}
		}
		if jsonSize(after[i].Object) > maxObjectBytes {
			return &problem{CodeOverlayTooLarge, tooLarge(b).Error(), "make it smaller"}
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

// tooLarge says that an object has outgrown maxObjectBytes.
func tooLarge(u *unstructured.Unstructured) error {
	return fmt.Errorf("the overlay makes %s larger than %d bytes", identity(u), maxObjectBytes)
}

// jsonSize is about how many bytes a value takes: those of its texts and keys.
func jsonSize(value any) int {
	size := 1
	switch v := value.(type) {
	case string:
		return len(v)
	case map[string]any:
		for key, inner := range v {
			size += len(key) + jsonSize(inner)
		}
	case []any:
		for _, inner := range v {
			size += jsonSize(inner)
		}
	}
	return size
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
