package compliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// The bounds of a run of all tests; each test has TimeLimit besides.
const (
	TestsTimeLimit = 30 * time.Second
	MaxTests       = 1000
)

// The errors of a run of tests, beside ErrMemory.
var (
	ErrTestsTimeout = fmt.Errorf("the tests of the compliance rules took longer than %s", TestsTimeLimit)
	ErrTooManyTests = fmt.Errorf("there are more than %d tests of the compliance rules", MaxTests)
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
	// FailedLine is the line of File whose expression was not true, and Expression
	// that line's text; zero where the test ended otherwise.
	FailedLine int    `json:"failedLine,omitempty"`
	Expression string `json:"expression,omitempty"`
	// Took is how long the test ran, in nanoseconds.
	Took time.Duration `json:"took"`
}

// Test runs the tests of the rules whose name matches; nil matches all. Each is
// bounded by TimeLimit, all of them by ctx, TestsTimeLimit, MemoryLimit and
// MaxTests. It errs where they could not be run, a broken test file included; a
// test that fails is a result. Results are ordered by file and line.
func (b *Bundle) Test(ctx context.Context, match *regexp.Regexp) ([]TestResult, error) {
	results := []TestResult{}
	for path, module := range b.tests {
		if module == nil {
			return nil, fmt.Errorf("%s does not compile", path)
		}
	}
	names := b.testNames(match)
	switch {
	case len(names) == 0:
		return results, nil
	case len(names) > MaxTests:
		return nil, ErrTooManyTests
	}
	ctx, cancel := context.WithTimeoutCause(ctx, TestsTimeLimit, ErrTestsTimeout)
	defer cancel()
	ctx, release := bounded(ctx)
	defer release()
	failures := &failures{}
	runner := tester.NewRunner().SetCompiler(newCompiler()).SetModules(b.all()).Filter(anyOf(names)).
		SetTimeout(TimeLimit).SetParallel(1).CapturePrintOutput(false).RaiseBuiltinErrors(true).SetCoverageQueryTracer(failures)
	outcomes, err := runner.RunTests(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("run the tests of the compliance rules: %w", err)
	}
	for o := range outcomes {
		results = append(results, testResult(o, failures))
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("run the tests of the compliance rules: %w", context.Cause(ctx))
	}
	slices.SortFunc(results, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Name, b.Name))
	})
	return results, nil
}

// testNames are the tests that match, as OPA names them.
func (b *Bundle) testNames(match *regexp.Regexp) []string {
	names := map[string]bool{}
	for _, module := range b.all() {
		for _, rule := range module.Rules {
			ref := rule.Head.Ref().GroundPrefix()
			for i := range ref {
				name := strings.Trim(ref[i].String(), `"`)
				if !strings.HasPrefix(name, tester.TestPrefix) && !strings.HasPrefix(name, tester.SkipTestPrefix) {
					continue
				}
				full := module.Package.Path.Extend(ref[:i+1]).String()
				if match == nil || match.MatchString(strings.TrimPrefix(full, "data.")) {
					names[full] = true
				}
				break
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// anyOf is the expression that the names match, also with the number that OPA
// gives the second of two of a name.
func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return `^(?:` + strings.Join(quoted, "|") + `)(?:#\d+)?$`
}

func testResult(o *tester.Result, failed *failures) TestResult {
	r := TestResult{Name: strings.TrimPrefix(o.Package, "data.") + "." + o.Name, Passed: o.Pass(), Skipped: o.Skip, Took: o.Duration}
	if o.Location != nil {
		r.File, r.Line = o.Location.File, o.Location.Row
	}
	switch {
	case topdown.IsCancel(o.Error), errors.Is(o.Error, context.DeadlineExceeded):
		r.Message = fmt.Sprintf("took longer than %s", TimeLimit)
	case o.Error != nil:
		r.Message = o.Error.Error()
	case !r.Passed && !r.Skipped:
		r.Message = "not true"
		r.FailedLine, r.Expression = failed.in(o.Location)
	}
	return r
}

// failures remembers, for each line that a rule may begin on, the expression
// that failed last. Tests run one after another, so the last to fail within a
// test's text is what made it fail.
type failures struct {
	at   map[string]map[int]failure
	next int
}

type failure struct {
	order int
	text  string
}

// Enabled makes OPA report events.
func (f *failures) Enabled() bool { return true }

// Config asks for nothing but the events.
func (f *failures) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent notes an expression that failed.
func (f *failures) TraceEvent(e topdown.Event) {
	if e.Op != topdown.FailOp || e.Location == nil || e.Location.File == "" {
		return
	}
	if f.at == nil {
		f.at = map[string]map[int]failure{}
	}
	if f.at[e.Location.File] == nil {
		f.at[e.Location.File] = map[int]failure{}
	}
	f.next++
	f.at[e.Location.File][e.Location.Row] = failure{f.next, firstLine(string(e.Location.Text))}
}

// in is the last failure within a rule's text.
func (f *failures) in(rule *ast.Location) (line int, text string) {
	if rule == nil {
		return 0, ""
	}
	last := 0
	for row := rule.Row; row <= rule.Row+strings.Count(string(rule.Text), "\n"); row++ {
		if at, ok := f.at[rule.File][row]; ok && at.order > last {
			last, line, text = at.order, row, at.text
		}
	}
	return line, text
}

// firstLine shortens an expression to what a line of a terminal holds.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if runes := []rune(line); len(runes) > 120 {
		line = string(runes[:119]) + "…"
	}
	return line
}
