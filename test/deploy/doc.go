// Package deploy holds the tests of deploy/: that every overlay and component
// builds, that a real API server takes every object and what the pages on
// operations show, that the pods meet the restricted Pod Security Standard, that
// the controller can do its work with the rights it is given there and needs each
// of them, and that alerts fire when they should.
package deploy
