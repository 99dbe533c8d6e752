package podsecurity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	psa "k8s.io/pod-security-admission/policy"
)

// Code of the findings.
const Code = "pod-security"

// Violation is one thing by which an object is not restricted.
type Violation struct {
	// Object is kind and name, Field where in it the pod specification or the
	// label stands.
	Object, Field string
	// Reason is the check's, such as "privileged"; Detail names containers and
	// fields, and may be empty.
	Reason, Detail string
}

// String is the violation in one line.
func (v Violation) String() string {
	text := fmt.Sprintf("%s, %s: %s", v.Object, v.Field, v.Reason)
	if v.Detail != "" {
		text += " (" + v.Detail + ")"
	}
	return text
}

// Check judges objects. The violations are in the order of the objects; the
// error is about a pod specification that is none.
func Check(objects []*unstructured.Unstructured) ([]Violation, error) {
	evaluator, err := evaluator()
	if err != nil {
		return nil, fmt.Errorf("prepare the Pod Security checks: %w", err)
	}
	var out []Violation
	for _, o := range objects {
		name := o.GetKind() + " " + o.GetName()
		if o.GetKind() == "Namespace" && o.GroupVersionKind().Group == "" {
			out = append(out, checkNamespace(name, o.GetLabels())...)
			continue
		}
		for _, p := range podsOf(o) {
			meta, spec, err := p.decode()
			if err != nil {
				return out, fmt.Errorf("%s, %s: %w", name, p.field, err)
			}
			restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			for _, r := range evaluator.EvaluatePod(restricted, meta, spec) {
				if !r.Allowed {
					out = append(out, Violation{Object: name, Field: p.field, Reason: cmp.Or(r.ForbiddenReason, psa.UnknownForbiddenReason), Detail: r.ForbiddenDetail})
				}
			}
		}
	}
	return out, nil
}

// evaluator has the checks of every version; it is immutable.
var evaluator = sync.OnceValues(func() (psa.Evaluator, error) { return psa.NewEvaluator(psa.DefaultChecks(), nil) })

// checkNamespace asks that the API server enforces what it can: the level
// baseline, since what KServe injects beside a model is not always restricted.
func checkNamespace(name string, labels map[string]string) []Violation {
	if level := api.Level(labels[api.EnforceLevelLabel]); level != api.LevelRestricted && level != api.LevelBaseline {
		return []Violation{{
			Object: name, Field: "metadata.labels", Reason: "the API server holds pods to no level",
			Detail: fmt.Sprintf("%s is %q", api.EnforceLevelLabel, level),
		}}
	}
	return nil
}

// pod is a pod specification inside an object.
type pod struct {
	field          string
	metadata, spec map[string]any
	// model are containers that KServe merges into those of a serving runtime,
	// and that have no name of their own.
	model []map[string]any
}

func (p pod) decode() (*metav1.ObjectMeta, *corev1.PodSpec, error) {
	meta, spec := &metav1.ObjectMeta{}, &corev1.PodSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(p.metadata, meta); err != nil {
		return nil, nil, fmt.Errorf("read the pod's metadata: %w", err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(p.spec, spec); err != nil {
		return nil, nil, fmt.Errorf("read the pod's specification: %w", err)
	}
	for _, m := range p.model {
		var c corev1.Container
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m, &c); err != nil {
			return nil, nil, fmt.Errorf("read the model's container: %w", err)
		}
		c.Name = cmp.Or(c.Name, servingContainer)
		spec.Containers = append(spec.Containers, c)
	}
	return meta, spec, nil
}

// servingContainer is what KServe calls the container that a runtime runs.
const servingContainer = "kserve-container"

// frameworks are the fields of a component by which older manifests name what
// KServe calls a model today; each is a container too.
// https://github.com/kserve/kserve/blob/v0.20.0/pkg/apis/serving/v1beta1/predictor.go
var frameworks = []string{
	"model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle", "art",
}

// podsOf lists the pod specifications of an object.
func podsOf(o *unstructured.Unstructured) []pod {
	if o.GetKind() == "InferenceService" && o.GroupVersionKind().Group == "serving.kserve.io" {
		return componentsOf(o)
	}
	return search(o.Object, "")
}

func componentsOf(o *unstructured.Unstructured) []pod {
	var out []pod
	spec, _ := o.Object["spec"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		component, ok := spec[name].(map[string]any)
		if !ok {
			continue
		}
		p := pod{field: "spec." + name, metadata: component, spec: component}
		for _, framework := range frameworks {
			if m, ok := component[framework].(map[string]any); ok {
				p.model = append(p.model, m)
			}
		}
		out = append(out, p)
		if worker, ok := component["workerSpec"].(map[string]any); ok {
			out = append(out, pod{field: p.field + ".workerSpec", spec: worker})
		}
	}
	return out
}

// search finds pod specifications in any object: a mapping with containers.
func search(in map[string]any, field string) []pod {
	if list, ok := in["containers"].([]any); ok && len(list) > 0 {
		if _, ok := list[0].(map[string]any); ok {
			return []pod{{field: field, spec: in}}
		}
	}
	var out []pod
	for _, key := range slices.Sorted(maps.Keys(in)) {
		at := key
		if field != "" {
			at = field + "." + key
		}
		var found []pod
		switch v := in[key].(type) {
		case map[string]any:
			found = search(v, at)
		case []any:
			for i, item := range v {
				if m, ok := item.(map[string]any); ok {
					found = append(found, search(m, fmt.Sprintf("%s[%d]", at, i))...)
				}
			}
		}
		for i := range found {
			// Annotations of a pod stand beside its specification.
			if meta, ok := in["metadata"].(map[string]any); ok && found[i].metadata == nil && key == "spec" {
				found[i].metadata = meta
			}
		}
		out = append(out, found...)
	}
	return out
}
