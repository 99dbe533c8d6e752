package compliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
)

// TimeLimit bounds the evaluation of one change, which takes some milliseconds. It
// is of the clock, and must not come near where the machine stands still for once.
const TimeLimit = 3 * time.Second

// The errors of an evaluation, beside ErrMemory, to be told apart with errors.Is. They mean that
// the change could not be judged.
var (
	// ErrTimeout: the rules took longer than TimeLimit.
	ErrTimeout = fmt.Errorf("the compliance rules took longer than %s", TimeLimit)
	// ErrShape: a rule yielded something that is no violation.
	ErrShape = errors.New("the compliance rules yielded something that is no violation")
)

// Violation is what a rule has against a change.
type Violation struct {
	Msg string `json:"msg"`
	// Code names the rule; may be empty.
	Code string `json:"code,omitempty"`
	// Path of the manifest's field that is meant; may be empty.
	Path string `json:"path,omitempty"`
	// Default: it is one of the default controls, not of the repository's rules.
	Default bool `json:"default,omitempty"`
}

// Exception is a deliberate exception to a rule, and what it silenced.
type Exception struct {
	Violation
	// Silenced are the violations that would have failed the change; empty
	// where the exception changes nothing.
	Silenced []Violation `json:"silenced"`
}

// Result is what the rules say about a change. Its lists are empty rather than
// nil, and ordered by code, path and message.
type Result struct {
	Deny       []Violation `json:"deny"`
	Warn       []Violation `json:"warn"`
	Exceptions []Exception `json:"exceptions"`
}

// Evaluate judges a change; input is an Input, or anything that encodes to JSON
// the same way. It errs where the rules run longer than TimeLimit, take more
// than MemoryLimit, contradict each other, call a built-in that fails, or yield
// something of the wrong shape: then the change could not be judged, and nothing
// in the result holds.
func (b *Bundle) Evaluate(ctx context.Context, input any) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, TimeLimit, ErrTimeout)
	defer cancel()
	ctx, release := bounded(ctx)
	defer release()
	answer, err := b.ask(ctx, input)
	if err != nil {
		return Result{}, err
	}
	deny, err := violations("deny", answer)
	if err != nil {
		return Result{}, err
	}
	warn, err := violations("warn", answer)
	if err != nil {
		return Result{}, err
	}
	exceptions, err := violations("exception", answer)
	if err != nil {
		return Result{}, err
	}
	return except(deny, warn, exceptions)
}

func (b *Bundle) ask(ctx context.Context, input any) (map[string]any, error) {
	results, err := b.query.Eval(ctx, rego.EvalInput(input))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("compliance rules: %w", context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("compliance rules: %w", err)
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("%w: %d answers", ErrShape, len(results))
	}
	answer, ok := results[0].Bindings["answer"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: no answer", ErrShape)
	}
	return answer, nil
}

// violations reads one of the three sets of the answer.
func violations(rule string, answer map[string]any) ([]Violation, error) {
	found := []Violation{}
	sets, ok := answer[rule].([]any)
	if !ok {
		return nil, fmt.Errorf("%w: %s is missing", ErrShape, rule)
	}
	for _, set := range sets {
		members, ok := set.([]any)
		if !ok {
			return nil, fmt.Errorf("%w: %s is no set", ErrShape, rule)
		}
		for _, m := range members {
			v, err := violation(m)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrShape, rule, err)
			}
			found = append(found, v)
		}
	}
	slices.SortFunc(found, compare)
	return slices.Compact(found), nil
}

func compare(a, b Violation) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg))
}

func violation(member any) (Violation, error) {
	fields, ok := member.(map[string]any)
	if !ok {
		return Violation{}, fmt.Errorf("%T where an object with msg belongs", member)
	}
	var v Violation
	for name, field := range map[string]*string{"msg": &v.Msg, "code": &v.Code, "path": &v.Path} {
		value, present := fields[name]
		if !present {
			continue
		}
		if *field, ok = value.(string); !ok {
			return Violation{}, fmt.Errorf("%s is no string", name)
		}
	}
	if v.Msg == "" {
		return Violation{}, errors.New("an object without msg")
	}
	return v, nil
}

// except lets exceptions silence what they name.
func except(deny, warn, exceptions []Violation) (Result, error) {
	r := Result{Deny: []Violation{}, Warn: warn, Exceptions: []Exception{}}
	for _, e := range exceptions {
		if e.Code == "" {
			return Result{}, fmt.Errorf("%w: an exception without code silences nothing", ErrShape)
		}
		r.Exceptions = append(r.Exceptions, Exception{Violation: e, Silenced: []Violation{}})
	}
	for _, d := range deny {
		if !r.silence(d) {
			r.Deny = append(r.Deny, d)
		}
	}
	return r, nil
}

// silence notes a violation with every exception that names it, and reports
// whether one does.
func (r *Result) silence(v Violation) bool {
	silenced := false
	for i := range r.Exceptions {
		e := &r.Exceptions[i]
		if e.Code == v.Code && (e.Path == "" || e.Path == v.Path) {
			e.Silenced = append(e.Silenced, v)
			silenced = true
		}
	}
	return silenced
}
