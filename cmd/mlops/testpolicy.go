package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/schemas"
)

// policyTests is what test-policy found. Its JSON form is a contract.
type policyTests struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Took is how long all of it ran, in nanoseconds.
	Took time.Duration `json:"took"`
	// Findings are what keeps rules or tests from being run.
	Findings schemas.Findings `json:"findings"`
	// Rego are the test_ rules that were run.
	Rego []compliance.TestResult `json:"rego"`
}

func testPolicyCommand() *cobra.Command {
	var match string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test-policy [DIR]",
		Short: "Run the tests of the rules under policy/",
		Long: `Compiles the Rego rules of the model repository in DIR (default: the current
folder) as they lie on the disk, and runs their tests: the rules test_… in
policy/*_test.rego. Each has one second, all of them have 30.

Exit codes: 0 all tests pass, 1 a test fails or a rule is broken, 2 a wrong
call, 3 the tests could not be run.`,
		Example: "  mlops test-policy example-repo --run phi",
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&match, "run", "", "run only the tests whose name matches this regular expression")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the tests that pass, too")
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir := "."
		if len(args) == 1 {
			dir = args[0]
		}
		selected, err := regexp.Compile(match)
		if err != nil {
			return usage("--run: %w", err)
		}
		files, err := worktree.Read(dir)
		if err != nil {
			return usageError{err}
		}
		tests, err := testPolicy(cmd.Context(), files, selected)
		if err != nil {
			return err
		}
		if format(*output) == formatJSON {
			err = writeJSON(cmd.OutOrStdout(), tests)
		} else {
			err = tests.write(cmd.OutOrStdout(), verbose)
		}
		if err == nil && (tests.Failed > 0 || tests.Findings.Failed()) {
			return exitStatus(exitFinding)
		}
		return err
	}
	return cmd
}

func testPolicy(ctx context.Context, files []schemas.File, match *regexp.Regexp) (policyTests, error) {
	begin := time.Now()
	tests := policyTests{Findings: schemas.Findings{}, Rego: []compliance.TestResult{}}
	rules := map[string][]byte{}
	for _, f := range files {
		switch {
		case schemas.ClassifyPath(f.Path) != schemas.PathPolicy:
		case f.Refused != "":
			tests.Findings = append(tests.Findings, schemas.Finding{
				Severity: schemas.SeverityError, File: f.Path, Code: schemas.CodeRefusedFile,
				Message: "the file is refused: " + f.Refused, Remedy: "put a plain file in its place",
			})
		default:
			rules[f.Path] = f.Content
		}
	}
	bundle, findings := compliance.Compile(rules)
	tests.Findings = append(tests.Findings, findings...)
	if !tests.Findings.Failed() {
		var err error
		if tests.Rego, err = bundle.Test(ctx, match); err != nil {
			return tests, err
		}
	}
	for _, r := range tests.Rego {
		switch {
		case r.Skipped:
			tests.Skipped++
		case r.Passed:
			tests.Passed++
		default:
			tests.Failed++
		}
	}
	tests.Took = time.Since(begin)
	return tests, nil
}

// write tells it as a test runner does: what failed, and a summary.
func (t policyTests) write(w io.Writer, verbose bool) error {
	p := &printer{w: w}
	for _, f := range t.Findings {
		p.line("%s", f)
	}
	for _, r := range t.Rego {
		switch {
		case r.Skipped && verbose:
			p.line("SKIP %s", r.Name)
		case r.Passed && verbose:
			p.line("PASS %s (%s)", r.Name, r.Took.Round(time.Millisecond))
		case !r.Passed && !r.Skipped:
			p.line("FAIL %s", r.Name)
			p.line("     %s:%d: %s", r.File, cmp.Or(r.FailedLine, r.Line), r.Message)
			if r.Expression != "" {
				p.line("       expected to hold: %s", r.Expression)
			}
		}
	}
	p.line("%s passed, %d failed, %d skipped, %s, in %s", count(t.Passed, "test"), t.Failed, t.Skipped,
		count(len(t.Findings), "finding"), t.Took.Round(time.Millisecond))
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
