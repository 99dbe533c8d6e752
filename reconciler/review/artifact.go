package review

import (
	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/artifact"
	"github.com/mlops-platform/mooring/policy/privilege"
	"github.com/mlops-platform/mooring/policy/signature"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// manifestFindings holds a manifest against what the environment allows its
// models: formats, signatures, roles and variables. Before is what the change
// replaces, or nil.
func manifestFindings(env *schemas.Environment, before, after *deployment) schemas.Findings {
	d := after.Value
	uri := artifactURI(env, d)
	var replaced *signature.Statement
	if before != nil {
		s := Statement(env, before.Value)
		replaced = &s
	}
	var all []policy.Finding
	all = append(all, artifact.Check(env.Spec, d, uri)...)
	all = append(all, signature.Check(env.Spec, d.Spec.Model, uri, replaced)...)
	all = append(all, privilege.Check(env.Spec, d)...)
	findings := make(schemas.Findings, 0, len(all))
	for _, f := range all {
		findings = append(findings, desired.Locate(after, f))
	}
	return findings
}

// Statement is what is signed of a manifest's model in an environment.
func Statement(env *schemas.Environment, d schemas.ModelDeployment) signature.Statement {
	return signature.Of(d.Spec.Model, artifactURI(env, d))
}

// artifactURI is where a manifest's artefact lies. A custom container that names
// no URI carries its model in its image; then the image is the artefact. Empty
// where an alias alone names it.
func artifactURI(env *schemas.Environment, d schemas.ModelDeployment) string {
	m := d.Spec.Model
	switch {
	case m.URI == "" && d.Spec.Serving.Container != nil:
		return d.Spec.Serving.Container.Image
	case m.URI == "" && m.Version == "":
		return ""
	}
	return render.StorageURI(env, d.Spec, m.Version)
}
