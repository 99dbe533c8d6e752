// Package deploy holds the tests of deploy/: that it builds, that a real API
// server takes every object, that the pod meets the restricted Pod Security
// Standard, and that the controller can do its work with the rights it is given
// there.
package deploy
