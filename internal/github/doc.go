// Package github talks to GitHub (github.com and Enterprise Server): it reads pull requests,
// reviews and teams, writes statuses, one comment and merges, and takes webhooks.
//
// It decides nothing. Every list is read to its end, and where GitHub cuts one off the answer
// is ErrTruncated, never a shorter list. Every error says what was asked, is one of the kinds
// in errors.go, and carries no token. Writes are skipped where GitHub has that content already,
// so repeating one is harmless. A webhook yields a Hint, nothing of its payload is believed.
//
// Requests are conditional (an ETag cache in memory), repeated after 502, 503 and 504 when they
// only read, and wait out rate limits that end soon; see Options.
package github
