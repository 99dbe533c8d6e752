// Package githubtest is a GitHub that runs inside the process: its REST API, its Git over
// HTTPS, its webhooks and a few of its pages, for the tests and the demo.
//
// It keeps state (organisations, teams, repositories, pull requests, reviews, statuses,
// comments, branch protection) in memory and every repository as a real bare Git repository
// on disk, so that clones, pushes, merges, squashes and rebases are Git's own. It answers in
// GitHub's shapes and refuses where GitHub refuses: test/contract holds both against GitHub's
// own OpenAPI description.
//
// The API is served as on GitHub Enterprise Server, below /api/v3; everything else (Git,
// pages) lies at the root. Admin methods on Server build the world; a Person acts in it through
// the API and Git with their own token, as people do.
//
// It never imports package testing, and no production package imports it.
package githubtest
