// Package demo tells the main job as a story on this machine: a real control
// plane with KServe, a GitHub server, a model repository and the controller as
// a process of its own come up, then a low-risk and a high-risk pull request, a
// direct push, a manual change in the cluster and a removal run through the
// real interfaces. Each step is checked; the end-to-end test runs the same
// steps.
package demo
