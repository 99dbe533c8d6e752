// Package source is the Git side of Mooring: it keeps a bare mirror of a model
// repository and answers what a commit contains, what a pull request changes
// and who wrote it.
//
// A tree is read object by object and never checked out, so nothing in it can
// point outside itself. Content is hostile: what a rule refuses becomes a
// finding on its path ([Refused]) and leaves every other file readable. Nothing
// here parses a file, judges a change or talks to GitHub's API.
//
// Data comes from a remote ([Mirror], which adds Fetch) or from a repository
// already on disk ([Open]); it goes to the review and release engines as plain
// values, whose object names are [ID]s, so that no other package needs go-git.
package source
