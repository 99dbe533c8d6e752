// Package privilege refuses what a manifest has no business to ask for: to load
// foreign code into a server, to carry keys of the cloud, to act as somebody
// else, or to fetch another artefact than the one that was reviewed.
//
// Only what is surely wrong is an error; what is sometimes right is a warning.
// What the rendered pods may do is judged elsewhere, on the objects. Manifests
// and environments come from reconciler/review.
package privilege
