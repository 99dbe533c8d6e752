package risk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

// The factors, in the order in which they are reported.
const (
	BusinessImpact     = "businessImpact"
	CustomerExposure   = "customerExposure"
	DataSensitivity    = "dataSensitivity"
	RegulatoryScope    = "regulatoryScope"
	ExplainabilityNeed = "explainabilityNeed"
)

// MaxFactor and MaxScore bound a factor and the sum of the five.
const (
	MaxFactor = 10
	MaxScore  = 50
)

// ErrUnknownFact is wrapped by errors about a fact that is missing everywhere
// or has a value that the table does not know.
var ErrUnknownFact = errors.New("fact not in the risk table")

// Source is one place that declares facts.
type Source struct {
	// Name says to a person where the facts come from: "before", "after",
	// "the registered model".
	Name  string
	Facts schemas.Facts
	// Partial marks a source that may leave facts out (a registered model's
	// tags): an empty fact of it says nothing. In any other source an empty
	// fact is an error.
	Partial bool
}

// Factor is one factor's points, 0–10, and where they come from.
type Factor struct {
	Name   string `json:"name"`
	Score  int    `json:"score"`
	Reason string `json:"reason"`
}

// Assessment is the risk of a change.
type Assessment struct {
	// Score is the sum of the factors, 0–50.
	Score int               `json:"score"`
	Level schemas.RiskLevel `json:"level"`
	// Factors are the five, always all and in the same order.
	Factors []Factor `json:"factors"`
}

// Scores maps each factor's name to its points.
func (a Assessment) Scores() map[string]int {
	m := make(map[string]int, len(a.Factors))
	for _, f := range a.Factors {
		m[f.Name] = f.Score
	}
	return m
}

// Reasons maps each factor's name to its reason.
func (a Assessment) Reasons() map[string]string {
	m := make(map[string]string, len(a.Factors))
	for _, f := range a.Factors {
		m[f.Name] = f.Reason
	}
	return m
}

// Assess scores a change by the highest of all sources, factor by factor. It
// errs, wrapping ErrUnknownFact, where a source names a value that the table
// does not have, and where there is no source at all.
func Assess(table schemas.RiskTable, sources ...Source) (Assessment, error) {
	if len(sources) == 0 {
		return Assessment{}, fmt.Errorf("no manifest declares any facts: %w", ErrUnknownFact)
	}
	var a Assessment
	for _, f := range factors(table) {
		factor, err := assessFactor(f, sources)
		if err != nil {
			return Assessment{}, err
		}
		a.Factors = append(a.Factors, factor)
		a.Score += factor.Score
	}
	a.Level = level(table.Levels, a.Score)
	return a, nil
}

// Platform is the assessment of a change to a governing file: the highest risk
// there is, whatever the file says.
func Platform(path string) Assessment {
	a := Assessment{Score: MaxScore, Level: schemas.RiskHigh}
	for _, name := range []string{BusinessImpact, CustomerExposure, DataSensitivity, RegulatoryScope, ExplainabilityNeed} {
		a.Factors = append(a.Factors, Factor{
			Name: name, Score: MaxFactor, Reason: path + " governs every model, so a change of it counts as the highest risk",
		})
	}
	return a
}

func level(l schemas.Levels, score int) schemas.RiskLevel {
	switch {
	case score >= l.High:
		return schemas.RiskHigh
	case score >= l.Medium:
		return schemas.RiskMedium
	default:
		return schemas.RiskLow
	}
}

// factorRule reads one factor out of a source's facts.
type factorRule struct {
	name string
	// read returns the points and how they came about; stated is false where
	// the source says nothing.
	read func(schemas.Facts) (score int, why string, stated bool, err error)
}

func factors(t schemas.RiskTable) []factorRule {
	return []factorRule{
		{BusinessImpact, keyed("governance.businessImpact", t.BusinessImpact, func(f schemas.Facts) string { return f.BusinessImpact })},
		{CustomerExposure, keyed("governance.customerExposure", t.CustomerExposure, func(f schemas.Facts) string { return f.CustomerExposure })},
		{DataSensitivity, keyed("governance.dataSensitivity", t.DataSensitivity, func(f schemas.Facts) string { return f.DataSensitivity })},
		{RegulatoryScope, func(f schemas.Facts) (int, string, bool, error) { return regulatory(t.Regulations, f.Regulations) }},
		{ExplainabilityNeed, keyed("governance.explainability", t.Explainability, func(f schemas.Facts) string { return f.Explainability })},
	}
}

func assessFactor(rule factorRule, sources []Source) (Factor, error) {
	factor := Factor{Name: rule.name, Score: -1}
	var said, silent []statement
	for _, s := range sources {
		score, why, stated, err := rule.read(s.Facts)
		if err != nil {
			return Factor{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		if !stated {
			if s.Partial {
				continue
			}
			return Factor{}, fmt.Errorf("%s: %s is not declared: %w", s.Name, rule.name, ErrUnknownFact)
		}
		factor.Score = max(factor.Score, score)
		st := statement{score, why + " in " + s.Name}
		if s.Partial && rule.name == RegulatoryScope && len(s.Facts.Regulations) == 0 {
			silent = append(silent, st) // it may leave facts out, so no regulation is no statement
			continue
		}
		said = append(said, st)
	}
	if len(said) == 0 {
		said = silent
	}
	if factor.Score < 0 {
		return Factor{}, fmt.Errorf("%s is declared nowhere: %w", rule.name, ErrUnknownFact)
	}
	factor.Reason = reason(said, factor.Score)
	return factor, nil
}

// statement is what one source says of a factor.
type statement struct {
	score int
	text  string
}

// reason names who says what, in the order of the sources. Where they differ, it
// says that the higher holds. Of those who say less, only the first few are named.
func reason(said []statement, best int) string {
	const few = 3
	var parts []string
	highest, lower := 0, 0
	for _, s := range said {
		count := &highest
		if s.score < best {
			count = &lower
		}
		if *count++; *count <= few {
			parts = append(parts, s.text)
		}
	}
	text := strings.Join(parts, ", ")
	if more := max(0, highest-few) + max(0, lower-few); more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	if lower > 0 {
		text += ": the higher holds"
	}
	return text
}

func keyed(field string, table map[string]int, value func(schemas.Facts) string) func(schemas.Facts) (int, string, bool, error) {
	return func(f schemas.Facts) (int, string, bool, error) {
		v := value(f)
		if v == "" {
			return 0, "", false, nil
		}
		score, err := lookUp(field, table, v)
		return score, strconv.Quote(v), true, err
	}
}

// regulatory sums the points of the regulations, each once, at most MaxFactor.
func regulatory(table map[string]int, regulations []string) (int, string, bool, error) {
	if len(regulations) == 0 {
		return 0, "no regulation", true, nil
	}
	sum, seen := 0, map[string]bool{}
	var parts []string
	for _, r := range regulations {
		if seen[r] {
			continue
		}
		seen[r] = true
		score, err := lookUp("governance.regulations", table, r)
		if err != nil {
			return 0, "", true, err
		}
		sum += score
		parts = append(parts, fmt.Sprintf("%q %d", r, score))
	}
	why := strings.Join(parts, " + ")
	if sum > MaxFactor {
		why += fmt.Sprintf(" = %d, at most %d", sum, MaxFactor)
	}
	return min(sum, MaxFactor), why, true, nil
}

func lookUp(field string, table map[string]int, value string) (int, error) {
	score, ok := table[value]
	if !ok {
		return 0, fmt.Errorf("%s %q: %w", field, value, ErrUnknownFact)
	}
	if score < 0 || score > MaxFactor {
		return 0, fmt.Errorf("%s %q scores %d, outside 0–%d", field, value, score, MaxFactor)
	}
	return score, nil
}
