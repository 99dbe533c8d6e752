// Package contract holds the GitHub adapter and the GitHub server of the tests against GitHub's
// own OpenAPI description: every request that the adapter makes and every answer, refusals too,
// must be what GitHub describes.
//
// The description is the npm package @octokit/openapi, pinned in package-lock.json and a
// development dependency only. `npm ci --prefix test/contract` installs it; without it the tests
// fail when CI=true and are skipped otherwise.
package contract
