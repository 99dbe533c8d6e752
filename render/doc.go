// Package render turns a model's manifest, its team and its environment into
// the Kubernetes objects that serve it, and lays the platform's kustomize
// overlay over them.
//
// It is pure: the same input yields the same objects and the same bytes,
// whatever the order of a map or the time of day. It reads no disk, no network
// and no clock, and decides nothing: which pool a replica runs on, which
// version an alias stands for and how risky the change is come in as input.
//
// Values come from package schemas (and the placement from policy); objects go
// to reconciler/apply and to the diffs that people read. KServe's Go types are
// not used, because they do not compile beside this module's controller-runtime;
// the tests hold the small subset in kserve.go against KServe's own CRD.
package render
