package schemas

import (
	"fmt"
	"slices"
	"strings"
)

// checkIsolation: each sensitivity is isolated once, on a pool that is kept for
// it, and the artefacts have a folder of their own.
func (r *report) checkIsolation(spec *EnvironmentSpec) {
	seen := map[string]bool{}
	for n := range spec.Isolation {
		isolation, at := &spec.Isolation[n], fmt.Sprintf("spec.isolation[%d]", n)
		for j, sensitivity := range isolation.DataSensitivity {
			field := fmt.Sprintf("%s.dataSensitivity[%d]", at, j)
			switch {
			case seen[sensitivity]:
				r.fault(field, CodeDuplicateValue, echo(sensitivity)+" is isolated twice", "keep one of the two")
			case !spec.dedicates(sensitivity):
				r.fault(field, CodeIsolation, "no pool is kept for data of sensitivity "+echo(sensitivity),
					"write onlyFor: {dataSensitivity: ["+sensitivity+"]} in the pool on which such models run")
			}
			seen[sensitivity] = true
		}
		if field := at + ".artifacts"; r.sound(field) {
			r.checkRoot(field, isolation.Root(), fixedPart(spec.Artifacts))
		}
	}
}

// dedicates reports whether a pool is for such data alone.
func (s *EnvironmentSpec) dedicates(sensitivity string) bool {
	return slices.ContainsFunc(s.Pools, func(p Pool) bool {
		return p.OnlyFor != nil && slices.Contains(p.OnlyFor.DataSensitivity, sensitivity)
	})
}

// checkRoot: the folder has to be one, and all other artefacts lie outside.
func (r *report) checkRoot(field, root, others string) {
	const remedy = "write a bucket or folder that holds these artefacts alone, such as s3://mlops-models-phi/{name}/v{version}"
	_, bucket, _ := strings.Cut(root, "://")
	switch {
	case !strings.HasSuffix(bucket, "/") || bucket == "/":
		r.fault(field, CodeIsolation, "before the first placeholder there is no folder of its own", remedy)
	case strings.HasPrefix(others, root):
		r.fault(field, CodeIsolation, "the other artefacts of the environment lie in the same folder", remedy)
	}
}

// checkNetwork: a peer is pods or addresses, never both or neither.
func (r *report) checkNetwork(n *Network) {
	if n == nil {
		return
	}
	lists := map[string][]NetworkPeer{
		"gateways": n.Gateways, "metrics": n.Metrics, "dns": n.DNS, "storage": n.Storage, "registry": n.Registry, "features": n.Features,
	}
	for _, name := range sortedKeys(lists) {
		for i, peer := range lists[name] {
			at := fmt.Sprintf("spec.network.%s[%d]", name, i)
			addresses := peer.CIDR != ""
			if r.sound(at) && (addresses == (len(peer.Namespaces) > 0) || addresses && len(peer.Pods) > 0 || !addresses && len(peer.Except) > 0) {
				r.fault(at, CodeConflict, at+" is neither pods of namespaces nor a range of addresses",
					"write namespaces, and pods to narrow them; or cidr, and except to narrow it")
			}
		}
	}
}

// checkIsolationTeams: who may read isolated data has a file, and the
// sensitivities are those of the risk table.
func (p *Platform) checkIsolationTeams(d *Document[Environment]) (fs Findings) {
	for n, isolation := range d.Value.Spec.Isolation {
		for j, team := range isolation.Teams {
			if p.Teams[team] == nil && !p.broken[TeamPath(team)] {
				fs = append(fs, d.Finding(fmt.Sprintf("spec.isolation[%d].teams[%d]", n, j), CodeUnknownTeam,
					"there is no team "+echo(team), addOr("teams/", team, sortedKeys(p.Teams))))
			}
		}
		if p.Governance == nil {
			continue
		}
		table := p.Governance.Value.Spec.Risk.DataSensitivity
		for j, value := range isolation.DataSensitivity {
			if _, ok := table[value]; !ok {
				fs = append(fs, d.Finding(fmt.Sprintf("spec.isolation[%d].dataSensitivity[%d]", n, j), CodeUnknownValue,
					"the governance knows no data sensitivity "+echo(value), suggest(value, sortedKeys(table))))
			}
		}
	}
	return fs
}

// isolation holds a manifest against what keeps its data, or the data of others,
// apart.
func (c *references) isolation(e *EnvironmentSpec) {
	own := e.IsolationOf(c.spec.Governance.DataSensitivity)
	if own != nil {
		c.isolated(e, own)
	}
	for n := range e.Isolation {
		other := &e.Isolation[n]
		if other != own && reaches(c.artifact(e), other.Root()) {
			c.fault("spec.model.uri", CodeIsolation,
				fmt.Sprintf("the artefact's place %s reaches those of models that read %s, and this one reads %s",
					c.artifact(e), strings.Join(other.DataSensitivity, ", "), echo(c.spec.Governance.DataSensitivity)),
				"move the artefact, or declare the data that the model reads")
		}
	}
}

// artifact is where the artefact lies if no registry is asked.
func (c *references) artifact(e *EnvironmentSpec) string {
	if c.spec.Model.URI != "" {
		return c.spec.Model.URI
	}
	return e.ArtifactURI(c.spec.Governance.DataSensitivity, c.spec.Model.Name, c.spec.Model.Version)
}

func (c *references) isolated(e *EnvironmentSpec, own *Isolation) {
	data := "data of sensitivity " + echo(c.spec.Governance.DataSensitivity)
	if !slices.Contains(own.Teams, c.spec.Team) {
		c.fault("spec.governance.dataSensitivity", CodeIsolation,
			fmt.Sprintf("the team %s may not serve models that read %s in %s", echo(c.spec.Team), data, c.spec.Environment),
			"have the team added to spec.isolation of "+EnvironmentPath(c.spec.Environment)+" first, in a change of its own")
	}
	capacity := c.spec.Serving.Capacity
	if capacity == "" {
		capacity = e.Capacity
	}
	if capacity == CapacitySpot {
		c.fault("spec.serving.capacity", CodeIsolation, "models that read "+data+" do not run on spot nodes", "write capacity: on-demand")
	}
	if uri := c.spec.Model.URI; uri != "" && !strings.HasPrefix(uri, own.Root()) {
		c.fault("spec.model.uri", CodeIsolation,
			fmt.Sprintf("the artefact of a model that reads %s lies under %s, and this one does not", data, own.Root()),
			"move the artefact there, or leave spec.model.uri out")
	}
}

// reaches reports whether a model with its artefact at the URI would be given
// something under the root. KServe fetches every object of a bucket whose key
// begins with the URI's path, whatever follows in the key, and mounts a volume's
// folder with all that is in it. It reads no query and no fragment.
func reaches(uri, root string) bool {
	if strings.HasPrefix(uri, root) {
		return true
	}
	if end := strings.IndexAny(uri, "?#"); end >= 0 {
		uri = uri[:end]
	}
	scheme, path, _ := strings.Cut(uri, "://")
	_, key, _ := strings.Cut(path, "/")
	if byPrefix := scheme == "s3" || scheme == "gs"; !byPrefix || key == "" {
		uri = strings.TrimSuffix(uri, "/") + "/"
	}
	return strings.HasPrefix(root, uri)
}
