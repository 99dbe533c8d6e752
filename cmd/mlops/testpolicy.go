package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/sandbox"
	"github.com/mlops-platform/mooring/policy/compliance"
	"github.com/mlops-platform/mooring/reconciler/cases"
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
	// Cases are those of governance_test.yaml that were run.
	Cases []cases.Result `json:"cases"`
	// rules: there is Rego.
	rules bool
}

// none reports whether there was nothing to run.
func (t policyTests) none() bool {
	return len(t.Rego)+len(t.Cases) == 0 && !t.Findings.Failed()
}

// untested reports whether there are rules, and nothing holds them against
// anything.
func (t policyTests) untested() bool { return t.rules && t.none() }

func testPolicyCommand() *cobra.Command {
	var match string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test-policy [DIR]",
		Short: "Run the tests of the rules under policy/ and the cases of governance_test.yaml",
		Long: `Compiles the Rego rules of the model repository in DIR (default: the current
folder) as they lie on the disk, and runs their tests: the rules test_… in
policy/*_test.rego. Each has one second, all of them have 30.

Then lets the gate judge the cases of governance_test.yaml over the same files:
each is a change of one file, with reviews and with what the gate has to say.
All of them have 30 seconds, too.

Exit codes: 0 all tests pass, 1 a test or case fails, a file is broken or there
are rules and no tests, 2 a wrong call, such as --run that matches none, 3 the
tests could not be run.`,
		Example: "  mlops test-policy example-repo --run phi",
		Args:    maybeArgument("DIR"),
	}
	cmd.Flags().StringVar(&match, "run", "", "run only the tests whose name matches this regular expression")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the tests that pass, too")
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		selected, err := regexp.Compile(match)
		if err != nil {
			return usage("--run: %w", err)
		}
		files, err := readFolder(cmd, args)
		if err != nil {
			return err
		}
		tests, err := testPolicy(cmd.Context(), files, selected)
		if err != nil {
			return err
		}
		if match != "" && tests.none() {
			return nothingMatches(cmd.Context(), files, match)
		}
		if format(*output) == formatJSON {
			err = writeJSON(cmd.OutOrStdout(), tests)
		} else {
			err = tests.write(cmd.OutOrStdout(), verbose)
		}
		if err == nil && (tests.Failed > 0 || tests.Findings.Failed() || tests.untested()) {
			return exitStatus(exitFinding)
		}
		return err
	}
	return cmd
}

func testPolicy(ctx context.Context, files []schemas.File, match *regexp.Regexp) (policyTests, error) {
	begin := time.Now()
	tests := policyTests{Findings: schemas.Findings{}, Rego: []compliance.TestResult{}, Cases: []cases.Result{}}
	for _, run := range []func(context.Context, []schemas.File, *regexp.Regexp) error{tests.runRego, tests.runCases} {
		if err := run(ctx, files, match); err != nil {
			return tests, err
		}
	}
	tests.Took = time.Since(begin)
	return tests, nil
}

// refuse keeps a finding about a file that was not read.
func (t *policyTests) refuse(f schemas.File) {
	t.Findings = append(t.Findings, schemas.Finding{
		Severity: schemas.SeverityError, File: f.Path, Code: schemas.CodeRefusedFile,
		Message: "the file is refused: " + f.Refused, Remedy: "put a plain file in its place",
	})
}

func (t *policyTests) runRego(ctx context.Context, files []schemas.File, match *regexp.Regexp) error {
	rules := map[string][]byte{}
	for _, f := range files {
		switch {
		case schemas.ClassifyPath(f.Path) != schemas.PathPolicy:
		case f.Refused != "":
			t.refuse(f)
		default:
			rules[f.Path] = f.Content
		}
	}
	t.rules = len(rules) > 0
	bundle, findings := compliance.Compile(rules)
	t.Findings = append(t.Findings, findings...)
	if t.Findings.Failed() {
		return nil
	}
	var err error
	if t.Rego, err = bundle.Test(ctx, match); err != nil {
		return err
	}
	for _, r := range t.Rego {
		t.count(r.Passed, r.Skipped)
	}
	return nil
}

// runCases runs nothing where rules are broken: the gate would say so of every
// case.
func (t *policyTests) runCases(ctx context.Context, files []schemas.File, match *regexp.Regexp) error {
	var test *schemas.Document[schemas.GovernanceTest]
	for _, f := range files {
		switch {
		case f.Path != schemas.GovernanceTestPath:
		case f.Refused != "":
			t.refuse(f)
		default:
			var findings schemas.Findings
			test, findings = schemas.ParseGovernanceTest(f.Path, f.Content)
			t.Findings = append(t.Findings, findings...)
		}
	}
	if test == nil || t.Findings.Failed() {
		return nil
	}
	checker, err := sandbox.New()
	if err != nil {
		return err
	}
	if t.Cases, err = cases.Run(ctx, test, files, match, checker); err != nil {
		return err
	}
	for _, r := range t.Cases {
		t.count(r.Passed, false)
	}
	return nil
}

func (t *policyTests) count(passed, skipped bool) {
	switch {
	case skipped:
		t.Skipped++
	case passed:
		t.Passed++
	default:
		t.Failed++
	}
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
	for _, r := range t.Cases {
		switch {
		case !r.Passed:
			p.line("FAIL case %q", r.Name)
			p.line("     %s:%d: %s", r.File, r.Line, strings.Join(r.Differences, "\n     "))
			for _, reason := range r.Reasons {
				p.line("       %s", reason)
			}
		case verbose:
			p.line("PASS case %q (%s)", r.Name, r.Took.Round(time.Millisecond))
		}
	}
	if t.none() {
		p.line("%s", t.missing())
		return p.err
	}
	p.line("%s passed, %d failed, %d skipped, %s, in %s", count(t.Passed, "test"), t.Failed, t.Skipped,
		count(len(t.Findings), "finding"), t.Took.Round(time.Millisecond))
	return p.err
}

// missing says where tests would be.
func (t policyTests) missing() string {
	text := "there are no tests: neither rules test_… in policy/*_test.rego, nor cases in " + schemas.GovernanceTestPath
	if t.rules {
		text += "; write some for the rules under policy/"
	}
	return text
}

// nothingMatches is the wrong call of a --run that picks no test, with some that
// it could pick. All are run to learn their names.
func nothingMatches(ctx context.Context, files []schemas.File, match string) error {
	all, err := testPolicy(ctx, files, nil)
	if err != nil {
		return err
	}
	if all.none() {
		return usage("--run %q matches nothing: %s", match, all.missing())
	}
	const some = 3 // of each kind
	var names []string
	for _, r := range all.Rego[:min(some, len(all.Rego))] {
		names = append(names, r.Name)
	}
	for _, c := range all.Cases[:min(some, len(all.Cases))] {
		names = append(names, strconv.Quote(c.Name))
	}
	return usage("--run %q matches none of %s, such as %s", match,
		count(len(all.Rego)+len(all.Cases), "test"), strings.Join(names, ", "))
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
