package schemas

import (
	"fmt"
	"strings"
)

// NamespaceFor is the namespace that the environment's template yields for a
// team. CheckNamespaces has made sure that it is valid.
func (s *EnvironmentSpec) NamespaceFor(team, environment string) string {
	return namespaceOf(s.Namespace, team, environment)
}

// NamespaceOf is where a team's models that read data of a sensitivity run.
func (s *EnvironmentSpec) NamespaceOf(team, environment, sensitivity string) string {
	if i := s.IsolationOf(sensitivity); i != nil {
		return i.NamespaceFor(team, environment)
	}
	return s.NamespaceFor(team, environment)
}

// namespaceOf is where a manifest's model runs; empty where its environment is
// missing or broken.
func (p *Platform) namespaceOf(d ModelDeployment) string {
	e := p.Environments[d.Spec.Environment]
	if e == nil {
		return ""
	}
	return e.Value.Spec.NamespaceOf(d.Spec.Team, d.Spec.Environment, d.Spec.Governance.DataSensitivity)
}

// NamespaceFor is the isolated namespace of a team.
func (i *Isolation) NamespaceFor(team, environment string) string {
	return namespaceOf(i.Namespace, team, environment)
}

func namespaceOf(template, team, environment string) string {
	return expand(template, "{team}", team, "{environment}", environment)
}

// ArtifactURI is where a version of a registered model lies that reads data of a
// sensitivity, unless the manifest or the registry says otherwise.
func (s *EnvironmentSpec) ArtifactURI(sensitivity, name, version string) string {
	template := s.Artifacts
	if i := s.IsolationOf(sensitivity); i != nil {
		template = i.Artifacts
	}
	if template == "" {
		template = DefaultArtifacts
	}
	return expand(template, "{name}", name, "{version}", version)
}

// Root is the folder that holds the artefacts of isolated models and no others.
func (i *Isolation) Root() string { return fixedPart(i.Artifacts) }

func fixedPart(template string) string {
	fixed, _, _ := strings.Cut(template, "{")
	return fixed
}

// CheckNamespaces makes sure that each team has a namespace of its own in each
// environment, with a name that Kubernetes takes and nobody else owns. A
// template that fails for many teams is one finding.
func CheckNamespaces(p *Platform) (fs Findings) {
	owner := map[string]string{} // namespace → "team in environment"
	check := func(d *Document[Environment], field, template, unit, namespace string) bool {
		fault := namespaceFault(namespace)
		if other, taken := owner[namespace]; taken && fault == "" {
			fault = "is the namespace of " + other + " as well"
		}
		if fault != "" {
			fs = append(fs, d.Finding(field, CodeNamespace,
				fmt.Sprintf("for %s the template yields %s, which %s", unit, echo(namespace), fault),
				"the usual template is "+template))
			return false
		}
		owner[namespace] = unit
		return true
	}
	teams := sortedKeys(p.Teams)
	for _, environment := range sortedKeys(p.Environments) {
		d := p.Environments[environment]
		for _, team := range teams {
			unit := Unit{Team: team, Environment: environment}.String()
			if !check(d, "spec.namespace", "{team}-{environment}", unit, d.Value.Spec.NamespaceFor(team, environment)) {
				break
			}
		}
		for n := range d.Value.Spec.Isolation {
			isolation := &d.Value.Spec.Isolation[n]
			for _, team := range isolation.Teams {
				unit := Unit{Team: team, Environment: environment}.String() + ", isolated"
				if !check(d, fmt.Sprintf("spec.isolation[%d].namespace", n), "{team}-phi-{environment}", unit, isolation.NamespaceFor(team, environment)) {
					break
				}
			}
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
