package fleet_test

import (
	"fmt"
	"testing"

	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
	"github.com/mlops-platform/mooring/test/fleet"
)

// What is drawn is meant to be valid: a generator that is refused proves nothing.
func TestDrawnManifestsAreValid(t *testing.T) {
	r, files := fleet.Random(t), fleet.Platform(t, "")
	for i := range 200 {
		for _, environment := range []string{fleet.Production, fleet.Staging, fleet.Slices, fleet.Serverless} {
			files = append(files, fleet.ManifestFile(t, fleet.Manifest(r, fmt.Sprintf("m%d", i), environment)))
		}
	}
	result, err := review.Validate(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Findings {
		if f.Severity == schemas.SeverityError {
			t.Error(f)
		}
	}
}
