// Package docs holds the documentation against the software: every command that
// is shown for `mlops` is run, every manifest is loaded by the strict loader,
// every field and every finding code stands in the reference, and every link,
// file and function that is named exists.
//
// What a test looks at is marked by the word after a fence's language, which no
// renderer shows:
//
//	```sh run            each line is run in a copy of the example repository;
//	```sh run exit=1     with the exit code that is expected (default 0)
//	```sh walk           a step of docs/getting-started.md that the workshop is past:
//	                     run, with that page's other blocks, when it is followed from
//	                     its beginning
//	```text output       lines that the command before printed; "…" stands for more
//	```yaml fragment     part of a file; only its syntax is checked
//
// A YAML block without a mark has to be a whole file or object.
//
// The tables of docs/manifest-reference.md are made from the types; the column
// "meaning" is written by hand and kept:
//
//	go test ./test/docs -run TestTheReference -update
package docs
