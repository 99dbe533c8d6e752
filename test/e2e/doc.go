// Package e2e runs Mooring as a whole, on the real parts: a control plane with
// KServe, the controller as a process of its own, Git over HTTP and the GitHub
// server of test/github. It tells the demo's story, kills the controller at
// points that it chooses by watching requests pass, and breaks the
// environment in every way that an operator meets.
//
// All worlds share one control plane and have namespaces of their own. Between
// a controller and its two servers stands a gate, which can hold a request
// back, so that no test waits for a length of time.
package e2e
