package compliance

import (
	"time"

	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/schemas"
)

// Input is what rules see, under the names of the JSON tags.
type Input struct {
	// Manifest is the change's after, Before its before; null where absent.
	Manifest *schemas.ModelDeployment `json:"manifest"`
	Before   *schemas.ModelDeployment `json:"before"`
	// Team and Environment are the files of the manifest's team and
	// environment, at the base's tip.
	Team        *schemas.Team        `json:"team"`
	Environment *schemas.Environment `json:"environment"`
	// Objects are the rendered Kubernetes objects, after the overlay.
	Objects []any `json:"objects"`
	Risk    Risk  `json:"risk"`
	// Now is the time of judging.
	Now time.Time `json:"now"`
}

// Risk is the change's assessment as rules see it.
type Risk struct {
	Score int               `json:"score"`
	Level schemas.RiskLevel `json:"level"`
	// Factors maps a factor's name to its 0–10 points.
	Factors map[string]int `json:"factors"`
}

// RiskOf is an assessment as rules see it.
func RiskOf(a risk.Assessment) Risk {
	return Risk{Score: a.Score, Level: a.Level, Factors: a.Scores()}
}
