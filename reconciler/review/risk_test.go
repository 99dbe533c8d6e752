package review

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheReasonsSayWhoseFactHolds(t *testing.T) {
	const moved = "models/data-science/ranking/production/deployment.yaml"
	repo, pr, base := pullRequestOf(t, "facts", nil, func(files map[string]string) {
		files[churnPath] = strings.Replace(files[churnPath], "dataSensitivity: pii", "dataSensitivity: internal", 1)
		files[moved] = strings.NewReplacer("  name: product-ranker\nspec", "  name: ranking\nspec", "customerExposure: direct", "customerExposure: internal").
			Replace(files[rankerPath])
		files[rankerPath] = ""
	})
	report, err := Evaluate(t.Context(), repo, Request{Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		churnPath:  `dataSensitivity: "pii" in the manifest before, "internal" in the manifest now: the higher holds`,
		moved:      `customerExposure: "internal" in the manifest, "direct" in ` + rankerPath + `, which moves here: the higher holds`,
		rankerPath: `customerExposure: "direct" in the manifest that is removed`,
	} {
		i := slices.IndexFunc(report.Changes, func(c *Change) bool { return c.Path == path })
		if i < 0 {
			t.Errorf("%s is no change", path)
		} else if !slices.Contains(report.Changes[i].Risk.Reasons, want) {
			t.Errorf("%s: %q is not among %q", path, want, report.Changes[i].Risk.Reasons)
		}
	}
}
