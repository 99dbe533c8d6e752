package schemas

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// CheckDeployment holds a manifest against its path and the platform's files:
// team, environment, governance table, pool, accelerator, serving mode. Whether
// a replica fits and what it costs is decided by policy.
func (p *Platform) CheckDeployment(d *Document[ModelDeployment]) Findings {
	c := &references{platform: p, doc: d, spec: &d.Value.Spec}
	c.path()
	c.team()
	c.facts()
	c.servable()
	if e := c.environment(); e != nil {
		c.mode(e.KServe.Mode)
		c.serving(e)
		c.hostName(e)
		c.placement(e)
		c.limits(e)
		c.isolation(e)
	}
	c.findings.Sort()
	return c.findings
}

// references gathers what is wrong with a manifest's references.
type references struct {
	platform *Platform
	doc      *Document[ModelDeployment]
	spec     *ModelDeploymentSpec
	findings Findings
}

func (c *references) warn(field, code, message, remedy string) {
	f := c.doc.Finding(field, code, message, remedy)
	f.Severity = SeverityWarning
	c.findings = append(c.findings, f)
}

func (c *references) fault(field, code, message, remedy string) {
	c.findings = append(c.findings, c.doc.Finding(field, code, message, remedy))
}

// path: the segments of the path are the identity, so that who owns a folder
// owns the model.
func (c *references) path() {
	unit, ok := ManifestUnit(c.doc.File)
	if !ok {
		return // parsed from elsewhere, such as an editor's buffer
	}
	for _, one := range []struct{ field, value, segment string }{
		{"spec.team", c.spec.Team, unit.Team},
		{"metadata.name", c.doc.Value.Metadata.Name, unit.Model},
		{"spec.environment", c.spec.Environment, unit.Environment},
	} {
		if one.value != one.segment {
			c.fault(one.field, CodePathMismatch, fmt.Sprintf("%s is %s, but the path says %s", one.field, echo(one.value), echo(one.segment)),
				"move the file or correct the field")
		}
	}
}

func (c *references) team() {
	name := c.spec.Team
	switch {
	case c.platform.Teams[name] != nil:
	case c.platform.broken[TeamPath(name)]:
		c.fault("spec.team", CodeBrokenReference, "the team "+echo(name)+" has errors of its own", "mend "+TeamPath(name)+" first")
	default:
		c.fault("spec.team", CodeUnknownTeam, "there is no team "+echo(name), addOr("teams/", name, sortedKeys(c.platform.Teams)))
	}
}

// environment is the manifest's environment, or nil with a finding.
func (c *references) environment() *EnvironmentSpec {
	code, message, remedy := c.platform.environmentFault(c.spec.Environment)
	if code != "" {
		c.fault("spec.environment", code, message, remedy)
		return nil
	}
	return &c.platform.Environments[c.spec.Environment].Value.Spec
}

// facts: every declared fact has a score in the governance's table.
func (c *references) facts() {
	if c.platform.Governance == nil {
		return
	}
	table, facts := c.platform.Governance.Value.Spec.Risk, c.spec.Governance
	known := func(field, value string, scores map[string]int) {
		if _, ok := scores[value]; !ok {
			c.fault(field, CodeUnknownValue, "the governance's risk table has no "+echo(value)+" for "+field, suggest(value, sortedKeys(scores)))
		}
	}
	known("spec.governance.businessImpact", facts.BusinessImpact, table.BusinessImpact)
	known("spec.governance.customerExposure", facts.CustomerExposure, table.CustomerExposure)
	known("spec.governance.dataSensitivity", facts.DataSensitivity, table.DataSensitivity)
	known("spec.governance.explainability", facts.Explainability, table.Explainability)
	for i, regulation := range facts.Regulations {
		known(fmt.Sprintf("spec.governance.regulations[%d]", i), regulation, table.Regulations)
	}
}

// servable: what no release of KServe serves.
func (c *references) servable() {
	serving := &c.spec.Serving
	// In Standard mode the minimum is at fault already.
	if e := c.platform.Environments[c.spec.Environment]; e != nil && e.Value.Spec.KServe.Mode == ModeKnative {
		c.everRuns("spec.serving.replicas", serving.Replicas)
		if t := serving.Transformer; t != nil {
			c.everRuns("spec.serving.transformer.replicas", t.Replicas)
		}
		if x := serving.Explainer; x != nil {
			c.everRuns("spec.serving.explainer.replicas", x.Replicas)
		}
	}
	// KServe's webhook knows these two of a custom container, and none that speaks gRPC.
	speaks := func(protocol Protocol) bool {
		return protocol == "" || protocol == ProtocolV1 || protocol == ProtocolV2
	}
	if serving.Container == nil {
		return
	}
	if !speaks(serving.Protocol) {
		c.fault("spec.serving.protocol", CodeUnknownValue, "KServe takes no custom container that speaks "+string(serving.Protocol), "write v1 or v2")
	}
	for i, e := range serving.Container.Env {
		if e.Name == "PROTOCOL" && (e.Value == nil || !speaks(Protocol(*e.Value)) || *e.Value == "") {
			c.fault(fmt.Sprintf("spec.serving.container.env[%d]", i), CodeUnknownValue,
				"KServe reads the protocol of a custom container from PROTOCOL, and knows v1 and v2", "write spec.serving.protocol instead")
		}
	}
}

func (c *references) everRuns(field string, replicas Replicas) {
	if replicas.High() == 0 {
		c.fault(field+".max", CodeOutOfRange, field+".max is 0, so that it never runs", "write at least 1, or remove what is not to run")
	}
}

// mode: only Knative scales to zero. KServe does not check that in Standard mode.
func (c *references) mode(mode KServeMode) {
	serving := &c.spec.Serving
	if mode == ModeKnative {
		return
	}
	c.aboveZero("spec.serving.replicas", serving.Replicas)
	if t := serving.Transformer; t != nil {
		c.aboveZero("spec.serving.transformer.replicas", t.Replicas)
	}
	if e := serving.Explainer; e != nil {
		c.aboveZero("spec.serving.explainer.replicas", e.Replicas)
	}
}

func (c *references) aboveZero(field string, replicas Replicas) {
	if replicas.Low() == 0 {
		c.fault(field+".min", CodeServingMode, field+".min is 0, but only Knative mode scales to zero", "write at least 1")
	}
}

// maxDNSLabel bounds one label of a host name (RFC 1035).
const maxDNSLabel = 63

// hostName: by default KServe makes one DNS label of a component's name and its
// namespace, and never becomes ready where that is too long. A cluster may have
// another domainTemplate, so this is a warning. A canary's second service has the
// longer name.
func (c *references) hostName(e *EnvironmentSpec) {
	longest := "predictor"
	if c.spec.Serving.Transformer != nil {
		longest = "transformer"
	}
	name := c.doc.Value.Metadata.Name
	if e.SplitsTraffic(c.spec) {
		name += CanarySuffix
	}
	service := name + "-" + longest
	label := service + "-" + e.NamespaceOf(c.spec.Team, c.spec.Environment, c.spec.Governance.DataSensitivity)
	if len(label) <= maxDNSLabel {
		return
	}
	c.warn("metadata.name", CodeHostName,
		fmt.Sprintf("KServe makes one label of a host name of the Service %s and its namespace, with %d characters, and %d are allowed", echo(service), len(label), maxDNSLabel),
		"shorten the name, or set KServe's domainTemplate to {{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}")
}

// poolsComeFirst reminds that manifests are judged by the base's environments.
const poolsComeFirst = "a new pool is added to the environment first, in a change of its own"

// placement: the pool and the accelerator exist in the environment.
func (c *references) placement(e *EnvironmentSpec) {
	serving := &c.spec.Serving
	var pools, accelerators []string
	for _, p := range e.Pools {
		pools = append(pools, p.Name)
		if p.Accelerator != nil {
			accelerators = append(accelerators, p.Accelerator.Name, p.Accelerator.Resource)
		}
	}
	if serving.Pool != PoolAuto && !slices.Contains(pools, serving.Pool) {
		c.fault("spec.serving.pool", CodeUnknownPool, fmt.Sprintf("%s has no pool %s", c.spec.Environment, echo(serving.Pool)),
			orElse(suggest(serving.Pool, append(pools, PoolAuto)), poolsComeFirst))
	}
	if a := serving.Accelerator; a != nil && !slices.Contains(accelerators, a.Type) {
		slices.Sort(accelerators)
		c.fault("spec.serving.accelerator.type", CodeUnknownAccelerator, fmt.Sprintf("no pool of %s offers %s", c.spec.Environment, echo(a.Type)),
			orElse(suggest(a.Type, slices.Compact(accelerators)), poolsComeFirst))
	}
}

// limits: a limit above the memory of every node that the part can run on bounds
// nothing, and the node ends whatever pod it likes before it is reached.
func (c *references) limits(e *EnvironmentSpec) {
	serving := &c.spec.Serving
	check := func(field string, r Resources, pool string, accelerated bool) {
		largest := resource.Quantity{}
		for _, p := range e.Pools {
			if pool != PoolAuto && pool == p.Name || pool == PoolAuto && accelerated == (p.Accelerator != nil) {
				if p.Allocatable.Memory.Cmp(largest) > 0 {
					largest = p.Allocatable.Memory.DeepCopy()
				}
			}
		}
		// A request above it, or a pool that does not exist, is an error of its own.
		if r.Limits == nil || r.Limits.Memory == nil || largest.IsZero() || r.Limits.Memory.Cmp(largest) <= 0 ||
			r.Requests.Memory == nil || r.Requests.Memory.Cmp(largest) > 0 {
			return
		}
		c.warn(field+".resources.limits.memory", CodeNoEffect,
			fmt.Sprintf("no node that it can run on has more than %s of memory, so the limit is never reached", largest.String()), "lower the limit")
	}
	check("spec.serving", serving.Resources, serving.Pool, serving.Accelerator != nil)
	if t := serving.Transformer; t != nil {
		check("spec.serving.transformer", t.Resources, PoolAuto, false)
	}
	if x := serving.Explainer; x != nil {
		check("spec.serving.explainer", x.Resources, PoolAuto, false)
	}
}
