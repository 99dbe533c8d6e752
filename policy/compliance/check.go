package compliance

import (
	"context"
	"errors"

	"github.com/mlops-platform/mooring/schemas"
)

// Checked is what can be said of rules without a change to judge.
type Checked struct {
	// Findings are what is wrong with the files.
	Findings schemas.Findings `json:"findings"`
	// Tests are the results of the rules' own tests; empty where they did not
	// compile.
	Tests []TestResult `json:"tests"`
	// Failure says why the tests could not be run, where they could not.
	Failure string `json:"failure,omitempty"`
}

// Check compiles rules and runs their tests. Compiling cannot be interrupted,
// and neither can a single built-in or comparison: rules that nobody approved
// yet are checked in a process of their own, which can be ended.
func Check(ctx context.Context, files map[string][]byte) Checked {
	bundle, findings := Compile(files)
	checked := Checked{Findings: findings, Tests: []TestResult{}}
	if bundle == nil || schemas.Findings(findings).Failed() {
		return checked
	}
	tests, err := bundle.Test(ctx, nil)
	if err != nil {
		checked.Failure = err.Error()
		return checked
	}
	checked.Tests = tests
	return checked
}

// Tried is what rules say of one input, or why they could not.
type Tried struct {
	Result Result `json:"result"`
	// Fault is the finding of a Fault; nil where the rules could be evaluated.
	Fault *schemas.Finding `json:"fault,omitempty"`
}

// Try evaluates rules over some inputs, in order, and no further than the first
// for which they take too long or too much. It is nil where they do not compile.
// What holds of Check holds of it.
func Try(ctx context.Context, files map[string][]byte, inputs []any) []Tried {
	bundle, _ := Compile(files)
	if bundle == nil {
		return nil
	}
	tried := make([]Tried, 0, len(inputs))
	for _, input := range inputs {
		result, err := bundle.Evaluate(ctx, input)
		tried = append(tried, Tried{result, FindingOf(err)})
		if errors.Is(err, ErrTimeout) || errors.Is(err, ErrMemory) {
			break
		}
	}
	return tried
}
