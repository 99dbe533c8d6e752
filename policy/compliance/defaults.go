package compliance

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mlops-platform/mooring/schemas"
)

//go:embed defaults/controls.rego
var defaultRules embed.FS

const defaultsPath = "defaults/controls.rego"

// defaults are compiled once; they are immutable.
var defaults = sync.OnceValues(func() (*Bundle, error) {
	content, err := defaultRules.ReadFile(defaultsPath)
	if err != nil {
		return nil, err
	}
	bundle, findings := Compile(map[string][]byte{defaultsPath: content})
	if bundle == nil {
		return nil, errors.New(schemas.Finding(findings[0]).String())
	}
	return bundle, nil
})

// Judge evaluates a repository's own rules and the default controls over one
// change. The own rules' exceptions silence default controls too, their
// warnings included. Where an own rule denies by the code of a default control,
// it is said once, in the own rule's words.
func Judge(ctx context.Context, own *Bundle, input any) (Result, error) {
	controls, err := defaults()
	if err != nil {
		return Result{}, fmt.Errorf("compile the default controls: %w", err)
	}
	result, err := own.Evaluate(ctx, input)
	if err != nil {
		return Result{}, err
	}
	byDefault, err := controls.Evaluate(ctx, input)
	if err != nil {
		return Result{}, fmt.Errorf("the default controls: %w", err)
	}
	result.Deny = append(result.Deny, result.remaining(byDefault.Deny)...)
	result.Warn = append(result.Warn, result.remaining(byDefault.Warn)...)
	return result, nil
}

// remaining are the violations of default controls that neither an exception
// silences nor an own rule has told of.
func (r *Result) remaining(violations []Violation) []Violation {
	var out []Violation
	for _, v := range violations {
		v.Default = true
		told := slices.ContainsFunc(r.Deny, func(d Violation) bool { return !d.Default && d.Code == v.Code })
		if r.silence(v) || told {
			continue
		}
		out = append(out, v)
	}
	return out
}
