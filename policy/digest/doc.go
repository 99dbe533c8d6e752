// Package digest computes what an approval is an approval of.
//
// A change's digest covers its identity, the Git blob before and after, and the
// risk level: rebase, squash or merge leave it as it is, any change of content
// or of level makes it another. It holds no time and no commit id.
package digest
