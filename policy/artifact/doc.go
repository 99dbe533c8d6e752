// Package artifact judges a model's artefact by what can be known of it before
// it is fetched: its format, which decides what loads it, and its URI.
//
// Python's pickle runs whatever code a file holds, so an environment can refuse
// artefacts that are loaded by it. What each of KServe's stock runtimes loads is
// written down here, with its source. Where the artefact's own content decides,
// nothing is guessed: it is refused where every server of the format may unpickle
// it, and a warning says what decides where the usual content is safe.
//
// Manifests and environments come from reconciler/review; nothing is fetched.
package artifact
