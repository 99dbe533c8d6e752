package drift

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/drift/fields"
)

// ErrNoEvidence says that an object records nothing of what a manager applied.
// It is no proof of drift; see fields.ErrNoEvidence.
var ErrNoEvidence = fields.ErrNoEvidence

// Fingerprint is the hash of the fields that manager owns through server-side
// apply and of their values, preceded by the version of the hashing.
func Fingerprint(obj *unstructured.Unstructured, manager string) (string, error) {
	return fields.Hash(obj, manager)
}
