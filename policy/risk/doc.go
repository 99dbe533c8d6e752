// Package risk scores a change by the facts its authors declare.
//
// The governance's table turns each fact into 0–10 points. Of several sources
// (the manifest before and after, the registered model's tags, other manifests
// of the same model) the highest counts for each factor on its own, so lowering
// a declared fact never lowers the score. Five factors make a score of 0–50 and
// the table's levels make that a level. Facts come from reconciler/review; the
// level decides in policy/approval who must approve.
package risk
