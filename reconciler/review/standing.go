package review

import (
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// standing judges manifests by a world's references, placement, quota and
// budget, as they stand together.
type standing struct {
	*reader
	world  *world
	byTeam map[string][]parsed
	// sums of the teams that were asked for.
	sums map[string]totals
}

// byTeam groups the manifests that can be read.
func byTeam(manifests []parsed) map[string][]parsed {
	out := map[string][]parsed{}
	for _, m := range manifests {
		if m.doc != nil {
			out[m.doc.Value.Spec.Team] = append(out[m.doc.Value.Spec.Team], m)
		}
	}
	return out
}

func (s *standing) of(m parsed) schemas.Findings {
	spec := m.doc.Value.Spec
	findings := s.world.Platform.CheckDeployment(m.doc)
	if s.world.environment(spec.Environment) == nil {
		return findings
	}
	findings = append(findings, desired.Refusals(m.doc, s.fit(s.world, m).refusals)...)
	for _, f := range s.totalsOf(spec.Team).findings(spec.Environment) {
		findings = append(findings, desired.Locate(m.doc, f))
	}
	return findings
}

func (s *standing) totalsOf(name string) totals {
	sum, ok := s.sums[name]
	if t := s.world.team(name); !ok && t != nil {
		sum = s.totals(s.world, t, s.byTeam[name])
		s.sums[name] = sum
	}
	return sum
}
