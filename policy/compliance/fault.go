package compliance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/mlops-platform/mooring/schemas"
)

// CodeEvaluation is of rules that compile and could not be evaluated.
const CodeEvaluation = "rego-evaluation"

// Fault is why rules could not judge an input. Its finding is an error at the rule,
// without file and line where nothing tells which rule it is.
type Fault struct {
	Finding schemas.Finding
	cause   error
}

// Error is where, what and the remedy.
func (f *Fault) Error() string {
	if f.Finding.File == "" {
		return f.Finding.Message + "; " + f.Finding.Remedy
	}
	return f.Finding.String()
}

// Unwrap is what went wrong: ErrShape, ErrTimeout, ErrMemory or the engine's error.
func (f *Fault) Unwrap() error { return f.cause }

// FindingOf is what an error of Evaluate says, without a file where it is no
// Fault; nil without one.
func FindingOf(err error) *schemas.Finding {
	if err == nil {
		return nil
	}
	if f := (*Fault)(nil); errors.As(err, &f) {
		return &f.Finding
	}
	f := finding("", nil, CodeEvaluation, err.Error(), "judge it once more")
	return &f
}

// faultOf finds out where an evaluation failed.
func (b *Bundle) faultOf(ctx context.Context, input any, err error) error {
	var at *ast.Location
	message, remedy := err.Error(), "correct the rule"
	engine := (*topdown.Error)(nil)
	shape := (*misshapen)(nil)
	switch {
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrMemory):
		remedy = "have the rule look at less: name what it is about first, and leave out loops within loops"
		if errors.As(err, &engine) {
			at = placeOf(engine)
		}
	case ctx.Err() != nil: // nobody waits for the answer any more
		return err
	case errors.As(err, &shape):
		at = b.culprit(ctx, input, shape)
		return b.fault(at, CodeShape, shape.Error(), shapeRemedy(shape.rule), err)
	case errors.As(err, &engine):
		at, message = placeOf(engine), engine.Code+": "+firstLine(engine.Message)
		remedy = engineRemedy(engine.Code)
	}
	return b.fault(at, CodeEvaluation, message, remedy, err)
}

func (b *Bundle) fault(at *ast.Location, code, message, remedy string, cause error) *Fault {
	f := &Fault{Finding: finding("", at, code, message, remedy), cause: cause}
	if at == nil {
		f.Finding.Message += b.suspects()
	}
	return f
}

func engineRemedy(code string) string {
	switch code {
	case topdown.ConflictErr:
		return "have the rule yield one value: make its conditions exclude one another"
	case topdown.BuiltinErr:
		return "ask whether the value is there and of the right type before the call"
	}
	return "correct the rule"
}

// placeOf is where the engine stopped: the place that it names, or the innermost
// that was being evaluated.
func placeOf(e *topdown.Error) *ast.Location {
	if e.Location != nil && e.Location.File != "" {
		return e.Location
	}
	for _, frame := range e.StackTrace {
		if frame.Location != nil && frame.Location.File != "" {
			return frame.Location
		}
	}
	return nil
}

// suspects names the files that decide, where nothing tells which of them fails.
func (b *Bundle) suspects() string {
	const few = 3
	var files []string
	for _, r := range b.decisiveRules("") {
		if file := r.Location.File; len(files) == 0 || files[len(files)-1] != file {
			files = append(files, file)
		}
	}
	switch {
	case len(files) == 0:
		return ""
	case len(files) > few:
		files = append(files[:few], fmt.Sprintf("%d more", len(files)-few))
	}
	return " (one of the rules of " + strings.Join(files, ", ") + ")"
}

// culprit is the rule that yielded a wrong member, else the first of its name. It
// evaluates once more, and watches.
func (b *Bundle) culprit(ctx context.Context, input any, shape *misshapen) *ast.Location {
	watch := &shapeWatch{rule: shape.rule}
	// That it fails is known; what the watch saw until then is what is asked.
	_, _ = b.query.Eval(ctx, rego.EvalInput(input), rego.EvalQueryTracer(watch))
	if watch.at != nil {
		return watch.at
	}
	for _, r := range b.decisiveRules(shape.rule) {
		return r.Location
	}
	return nil
}

// shapeWatch sees which rule of a name yields what is no violation.
type shapeWatch struct {
	rule string
	at   *ast.Location
}

// Enabled makes OPA report events until the rule is found.
func (w *shapeWatch) Enabled() bool { return w.at == nil }

// Config asks for the values that variables have.
func (w *shapeWatch) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent looks at what a rule yields.
func (w *shapeWatch) TraceEvent(e topdown.Event) {
	rule, ok := e.Node.(*ast.Rule)
	if !ok || e.Op != topdown.ExitOp || w.at != nil || decides(rule) != w.rule {
		return
	}
	term := rule.Head.Key
	if term == nil {
		term = rule.Head.Value
	}
	value, err := ast.JSON(plug(term, e.Locals).Value)
	if err != nil {
		return // what is not known cannot be held against it
	}
	if rule.Head.Key != nil {
		value = []any{value}
	}
	if _, err := members(w.rule, value); err != nil {
		w.at = rule.Location
	}
}

// plug puts the values of variables into what a rule yields: it is a variable, or an
// object whose fields may be; of what lies deeper nobody asks.
func plug(term *ast.Term, locals *ast.ValueMap) *ast.Term {
	if v, isVar := term.Value.(ast.Var); isVar {
		if value := locals.Get(v); value != nil {
			return ast.NewTerm(value)
		}
	}
	object, ok := term.Value.(ast.Object)
	if !ok {
		return term
	}
	plugged := ast.NewObject()
	object.Foreach(func(field, value *ast.Term) { plugged.Insert(field, plug(value, locals)) })
	return ast.NewTerm(plugged)
}
