package cli

import (
	"strings"
	"testing"
)

const overProduction = "overlays/production/kustomization.yaml"

// weak adds a patch of every model's predictor to production's overlay.
func weak(predictor string) func(*repo) {
	return func(r *repo) {
		r.write(overProduction, r.read(overProduction)+"  - path: weak.yaml\n    target: {group: serving.kserve.io, kind: InferenceService}\n")
		r.write("overlays/production/weak.yaml",
			"apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: any}\nspec:\n  predictor:\n    "+predictor+"\n")
	}
}

// TestNoOverlayWeakensAPod tries what an overlay could make of pods that are
// restricted as they are rendered.
func TestNoOverlayWeakensAPod(t *testing.T) {
	for name, predictor := range map[string]string{
		"a privileged container":        "model: {securityContext: {privileged: true}}",
		"a path of the host":            "volumes: [{name: host, hostPath: {path: /}}]",
		"the host's network":            "hostNetwork: true",
		"the root user":                 "securityContext: {runAsUser: 0}",
		"a container that may be root":  "model: {securityContext: {runAsNonRoot: false}}",
		"more capabilities":             "model: {securityContext: {capabilities: {add: [SYS_ADMIN]}}}",
		"a way to more privileges":      "model: {securityContext: {allowPrivilegeEscalation: true}}",
		"system calls without a filter": "model: {securityContext: {seccompProfile: {type: Unconfined}}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(weak(predictor))
			p := r.plan()
			if v, _ := p.stage("security"); v != "fail" || p.Verdict != "fail" {
				t.Errorf("%s, security %s", p.Verdict, v)
			}
			found := false
			for _, c := range p.Changes {
				for _, f := range c.Findings {
					found = found || f.Code == "pod-security" && f.Severity == "error" && strings.HasPrefix(f.File, "overlays/production/")
				}
			}
			if !found {
				t.Errorf("%+v", p.Changes)
			}
		})
	}
	t.Run("an overlay at the base fails the models that it weakens, and names the line", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(weak("hostNetwork: true"))
		r.head(both(bump(ranker), bump(forecast)))
		p := r.plan()
		findings := p.change(t, ranker).Findings
		if len(findings) != 1 || findings[0].Code != "pod-security" || findings[0].File != "overlays/production/weak.yaml" || findings[0].Line != 6 {
			t.Errorf("%+v", findings)
		}
		if f := p.change(t, forecast).Findings; len(f) > 0 {
			t.Errorf("a model that it does not reach: %+v", f)
		}
	})
	t.Run("a namespace that holds pods to nothing", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) {
			r.write(overProduction, r.read(overProduction)+"  - target: {kind: Namespace}\n    patch: |-\n      - op: replace\n        path: /metadata/labels/pod-security.kubernetes.io~1enforce\n        value: privileged\n")
		})
		if p := r.plan(); p.Verdict != "fail" || len(p.change(t, overProduction).Findings) == 0 {
			t.Errorf("%+v", p)
		}
	})
	for name, predictor := range map[string]string{
		"more replicas than the manifest asks for":   "minReplicas: 500, maxReplicas: 900",
		"larger pods than the manifest asks for":     `model: {resources: {requests: {cpu: "400"}}}`,
		"a container beside the model":               "containers: [{name: beside, image: registry.example.com/beside}]",
		"another artefact than the one approved":     `model: {storageUri: "s3://elsewhere/model"}`,
		"pods of its own that tolerate every taint":  "workerSpec: {tolerations: [{operator: Exists}], containers: [{name: w, image: x}]}",
		"one of the labels by which models are told": "labels: {mlops-platform.com/team: other}",
	} {
		t.Run(name+" fails the build", func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(weak("{" + predictor + "}"))
			p := r.plan()
			if v, _ := p.stage("build"); v != "fail" || p.Verdict != "fail" {
				t.Errorf("%s, build %s", p.Verdict, v)
			}
			if f := find(t, p.change(t, overProduction).Findings, "overlay-weakens"); f.File != overProduction || f.Line == 0 || f.Severity != "error" {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("an overlay that adds a label weakens nothing", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) { r.edit(overProduction, "example.com/tier: production", "example.com/tier: prod") })
		if f := r.plan().change(t, overProduction).Findings; len(f) > 0 {
			t.Errorf("%+v", f)
		}
	})
}
