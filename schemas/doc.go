// Package schemas holds the types of every file a user writes (ModelDeployment,
// Governance, Environment, Team), of the two objects Mooring keeps in the
// cluster (ModelRepository, ModelRelease), and the strict loader that turns
// YAML into them.
//
// A value of these types that came out of the loader is complete and valid in
// itself: defaults are filled in, ranges are checked, nothing unknown was
// dropped. Everything wrong with a file comes back as Findings with file, line
// and column, all at once.
//
// The package reads no disk, no network and no clock, and imports nothing else
// of the project. Bytes come in from Git trees (package reconciler/source);
// values go to policy and render.
//
// +groupName=mlops-platform.com
// +versionName=v1alpha1
package schemas
