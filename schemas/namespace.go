package schemas

import (
	"fmt"
	"strings"
)

// NamespaceFor is the namespace that the environment's template yields for a
// team. CheckNamespaces has made sure that it is valid.
func (s *EnvironmentSpec) NamespaceFor(team, environment string) string {
	return expand(s.Namespace, "{team}", team, "{environment}", environment)
}

// ArtifactURI is where the environment keeps a version of a registered model,
// unless the manifest or the registry says otherwise.
func (s *EnvironmentSpec) ArtifactURI(name, version string) string {
	template := s.Artifacts
	if template == "" {
		template = DefaultArtifacts
	}
	return expand(template, "{name}", name, "{version}", version)
}

// CheckNamespaces makes sure that each team has a namespace of its own in each
// environment, with a name that Kubernetes takes and nobody else owns. A
// template that fails for many teams is one finding.
func CheckNamespaces(p *Platform) (fs Findings) {
	owner := map[string]string{} // namespace → "team in environment"
	teams := sortedKeys(p.Teams)
	for _, environment := range sortedKeys(p.Environments) {
		d := p.Environments[environment]
		for _, team := range teams {
			unit := Unit{Team: team, Environment: environment}.String()
			namespace := d.Value.Spec.NamespaceFor(team, environment)
			fault := namespaceFault(namespace)
			if other, taken := owner[namespace]; taken && fault == "" {
				fault = "is the namespace of " + other + " as well"
			}
			if fault != "" {
				fs = append(fs, d.Finding("spec.namespace", CodeNamespace,
					fmt.Sprintf("for %s the template yields %s, which %s", unit, echo(namespace), fault),
					"the usual template is {team}-{environment}"))
				break
			}
			owner[namespace] = unit
		}
	}
	return fs
}

// namespaceFault says why a namespace cannot be used, or is empty.
func namespaceFault(namespace string) string {
	switch {
	case !formats["label"].accepts(namespace):
		return "is no DNS label of at most 63 characters"
	case namespace == "default", strings.HasPrefix(namespace, "kube-"):
		return "belongs to Kubernetes"
	case strings.HasPrefix(namespace, "mooring"):
		return "belongs to Mooring"
	}
	return ""
}
