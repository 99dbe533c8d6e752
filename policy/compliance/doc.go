// Package compliance runs the platform team's own rules, written in Rego, on a
// change.
//
// The files come from policy/ of the model repository, read at the base's tip
// by reconciler/review. They have the package mooring (parts of them may be in
// packages below it) and yield objects:
//
//	deny      contains {"msg": …, "code": …, "path": …}   the change fails
//	warn      contains {"msg": …, "code": …, "path": …}   a warning
//	exception contains {"msg": …, "code": …, "path": …}   see below
//
// msg is required; code names the rule, path the field of the manifest that is
// meant. Their input is an [Input].
//
// An exception silences every deny that has its code (and, where the exception
// has a path, its path too). It must have a code; a deny without one cannot be
// silenced, and a warning never is. What was silenced is not lost: it is shown
// with the exception that silenced it. An exception that silences nothing does
// nothing.
//
// Rules see their input and nothing else. Built-ins that reach the network,
// the machine, its clock or its chance do not compile; print and trace have no
// effect. An evaluation is bounded in time, a built-in that errs stops it, and
// an error of any kind is an error of the change, never a pass.
package compliance
