// Package controlplane starts a Kubernetes control plane on this machine, by running the program
// bin/controlplane (tools/controlplane, built by hack/build-tools.sh) as a child process, and
// installs resource definitions into it. Tests and the demo use it; nothing that runs in
// production does.
//
// The child ends with this process, however that ends: it watches a pipe that this process holds.
package controlplane
