// Package metrics holds the metrics of a model's training run against what its
// manifest asks of them and against the version that is live.
//
//   - min: the value is at least this. max: it is at most this.
//   - maxRegression: the value is worse than the live one's by at most this, as an
//     absolute difference in the metric's own unit. With min alone, lower is
//     worse; with max alone, higher is worse. With both, or with neither, nobody
//     said which way is worse, so a difference either way counts.
//   - A metric that the run did not log, NaN and the infinities fail.
//   - Without a value of the live version there is nothing to be worse than:
//     maxRegression passes, and says so.
//
// Differences are exact in decimal: 0.91 to 0.90 is a regression of 0.01, whatever
// binary fractions make of it. Values come from reconciler/review, which asks the
// registry; nothing is fetched here.
package metrics
