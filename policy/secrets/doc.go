// Package secrets finds what looks like a secret in a changed file, without
// ever showing it.
//
// Three kinds of rules look at a file's content: gitleaks' own rules (its
// default configuration, compiled in), passwords inside URLs, and, because a
// manifest's env splits name and value over two lines where no pattern sees
// them together, names that call for a secret and carry a literal value.
//
// A [Report] says where and by which rule. The value itself stays inside it and
// comes out only as something to take out of other texts ([Report.Hide]), since
// an error about something else may quote the same value. Content comes from
// reconciler/review; nothing is read, written or logged here. What gitleaks
// would excuse by a file's path or by a comment in it is not excused: the
// author of a secret could write both.
package secrets
