package compliance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/tester"
)

// TestResult is the outcome of one test_ rule.
type TestResult struct {
	// Name is package and rule, such as mooring.test_latest_is_denied.
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Passed, unless Skipped (a todo_test_ rule).
	Passed  bool `json:"passed"`
	Skipped bool `json:"skipped,omitempty"`
	// Message says why a test did not pass.
	Message string `json:"message,omitempty"`
}

// Test runs the tests of the rules, each bounded by TimeLimit and all by ctx.
// It errs where they could not be run, a broken test file included; a test
// that fails is a result. Results are ordered by file and line.
func (b *Bundle) Test(ctx context.Context) ([]TestResult, error) {
	results := []TestResult{}
	if len(b.tests) == 0 {
		return results, nil
	}
	for path, module := range b.tests {
		if module == nil {
			return nil, fmt.Errorf("%s does not compile", path)
		}
	}
	runner := tester.NewRunner().SetCompiler(newCompiler()).SetModules(b.all()).
		SetTimeout(TimeLimit).SetParallel(1).CapturePrintOutput(false).RaiseBuiltinErrors(true)
	outcomes, err := runner.RunTests(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("run the tests of the compliance rules: %w", err)
	}
	for o := range outcomes {
		results = append(results, testResult(o))
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("run the tests of the compliance rules: %w", context.Cause(ctx))
	}
	slices.SortFunc(results, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return results, nil
}

func testResult(o *tester.Result) TestResult {
	r := TestResult{Name: strings.TrimPrefix(o.Package, "data.") + "." + o.Name, Passed: o.Pass(), Skipped: o.Skip}
	if o.Location != nil {
		r.File, r.Line = o.Location.File, o.Location.Row
	}
	switch {
	case o.Error != nil:
		r.Message = o.Error.Error()
	case !r.Passed && !r.Skipped:
		r.Message = "not true"
	}
	return r
}
