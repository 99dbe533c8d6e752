package release

import (
	"errors"
	"fmt"

	"github.com/mlops-platform/mooring/schemas"
)

// AnnotationAllowRemovals, set on a ModelRepository to a full commit id, lets
// that commit remove as many models as it does.
const AnnotationAllowRemovals = schemas.Group + "/allow-removals"

// ErrMassRemoval: one step would remove more models at once than is plausible.
var ErrMassRemoval = errors.New("too many models would be removed at once")

const (
	// removalsAlwaysFine models may always go at once.
	removalsAlwaysFine = 5
	// removalShare of all models may, too.
	removalShare = 0.3
)

// CheckRemovals guards against a mistake that empties the cluster: more than a
// handful of models, and more than three in ten of all, are removed in one step
// only if a person names the commit.
func CheckRemovals(before Ledger, decisions []Decision, tip, allowed string) error {
	var all, removed int
	for path, a := range before.Approved {
		if _, ok := schemas.ManifestUnit(path); ok && a.Blob != "" {
			all++
		}
	}
	for _, d := range decisions {
		if _, ok := schemas.ManifestUnit(d.Path); ok && d.Removed() {
			removed++
		}
	}
	if removed <= removalsAlwaysFine || float64(removed) <= removalShare*float64(all) || allowed == tip {
		return nil
	}
	return fmt.Errorf("%w: %d of %d; if that is meant, annotate the ModelRepository with %s=%s",
		ErrMassRemoval, removed, all, AnnotationAllowRemovals, tip)
}
