package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

// compare says what the gate was expected to say and did not.
func compare(want schemas.Expectation, report *review.Report) (differences []string) {
	differ := func(what, want, got any) {
		differences = append(differences, fmt.Sprintf("expected %s %v, got %v", what, want, got))
	}
	if want.Verdict != "" && string(want.Verdict) != string(report.Verdict) {
		differ("verdict", want.Verdict, report.Verdict)
	}
	if len(report.Changes) == 1 {
		compareChange(want, report.Changes[0], differ)
	} else if want.Level != "" || want.Score != nil || want.Missing != nil || want.Seats != nil {
		differences = append(differences, "expected a change of a manifest or a platform file, and the gate sees none")
	}
	if got := errorCodes(report); want.Findings != nil && !sameSet(want.Findings, got) {
		differ("findings", list(want.Findings), list(got))
	}
	for _, name := range slices.Sorted(maps.Keys(want.Stages)) {
		i := slices.IndexFunc(report.Stages, func(s policy.StageResult) bool { return string(s.Name) == name })
		switch {
		case i < 0:
			differ("stage "+name, want.Stages[name], "no such stage; there are "+list(policy.ReviewStages()))
		case string(report.Stages[i].Verdict) != string(want.Stages[name]):
			differ("stage "+name, want.Stages[name], report.Stages[i].Verdict)
		}
	}
	return differences
}

func compareChange(want schemas.Expectation, c *review.Change, differ func(what, want, got any)) {
	if want.Level != "" && want.Level != c.Risk.Level {
		differ("level", want.Level, c.Risk.Level)
	}
	if want.Score != nil && *want.Score != c.Risk.Score {
		differ("score", *want.Score, c.Risk.Score)
	}
	if want.Missing != nil && !sameSet(want.Missing, c.Approvals.Missing) {
		differ("missing", list(want.Missing), list(c.Approvals.Missing))
	}
	for _, role := range slices.Sorted(maps.Keys(want.Seats)) {
		by := "nobody"
		for _, slot := range c.Approvals.Slots {
			if slot.Role == role {
				by = slot.By
			}
		}
		if !strings.EqualFold(by, want.Seats[role]) {
			differ("seat "+role, want.Seats[role], by)
		}
	}
}

// errorCodes are the codes of all findings that are errors, each once.
func errorCodes(report *review.Report) []string {
	var codes []string
	add := func(findings schemas.Findings) {
		for _, f := range findings {
			if f.Severity == schemas.SeverityError {
				codes = append(codes, f.Code)
			}
		}
	}
	add(report.Findings)
	for _, c := range report.Changes {
		add(c.Findings)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

func list[S ~string](items []S) string {
	if len(items) == 0 {
		return "none"
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = string(item)
	}
	return strings.Join(texts, ", ")
}

// reasons are those of the stages that did not pass, and every finding that is
// an error.
func reasons(report *review.Report) []string {
	var out []string
	for _, s := range report.Stages {
		if s.Verdict != policy.Pass {
			out = append(out, fmt.Sprintf("%s %s: %s", s.Name, s.Verdict, s.Reason))
		}
	}
	add := func(findings schemas.Findings) {
		for _, f := range findings {
			if f.Severity == schemas.SeverityError {
				out = append(out, f.String())
			}
		}
	}
	add(report.Findings)
	for _, c := range report.Changes {
		add(c.Findings)
	}
	return out
}
