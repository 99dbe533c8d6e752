package desired

import (
	"maps"
	"slices"

	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// Coverage gathers what the steps of a world's overlays have found in its units.
// Only with all units of an overlay's environments can it be said that a step
// finds nothing.
type Coverage struct {
	world World
	found map[string]render.Found
	// partial are the overlays of which not every unit is known.
	partial map[string]bool
}

// Coverage is of nothing yet.
func (w World) Coverage() *Coverage {
	return &Coverage{w, map[string]render.Found{}, map[string]bool{}}
}

// Add notes what a unit's rendering has come to.
func (c *Coverage) Add(set Set, findings schemas.Findings) {
	if findings.Failed() {
		c.Miss(set.Unit.Environment)
	} else if dir := c.overlay(set.Unit.Environment); dir != "" {
		c.found[dir] = c.found[dir].With(set.Found)
	}
}

// Miss notes that a unit of an environment is not known.
func (c *Coverage) Miss(environment string) {
	c.partial[c.overlay(environment)] = true
}

func (c *Coverage) overlay(environment string) string {
	if env := c.world.Platform.Environments[environment]; env != nil {
		return env.Value.Spec.Overlay
	}
	return ""
}

// Complete reports whether every step of an overlay has found something.
func (c *Coverage) Complete(dir string) bool {
	return c.found[dir] != nil && !slices.Contains(c.found[dir], false)
}

// Unfound tells of the steps that have found nothing.
func (c *Coverage) Unfound() schemas.Findings {
	var findings schemas.Findings
	for _, dir := range slices.Sorted(maps.Keys(c.found)) {
		if overlay, _ := c.world.Overlay(dir); overlay != nil && !c.partial[dir] {
			findings = append(findings, overlay.Unfound(c.found[dir])...)
		}
	}
	return findings
}
