package policy

// Stage names one step of the pipeline; the commit status of a stage is
// "mooring/" and its name.
type Stage string

// The stages: the first five judge a pull request, the other four follow the
// merge.
const (
	StageValidate  Stage = "validate"
	StageSecurity  Stage = "security"
	StageTest      Stage = "test"
	StageApproval  Stage = "approval"
	StageBuild     Stage = "build"
	StageDeploy    Stage = "deploy"
	StageSmokeTest Stage = "smoke-test"
	StageAudit     Stage = "audit"
	StageNotify    Stage = "notify"
)

// Stages lists all stages in the order in which they run.
func Stages() []Stage {
	return append(ReviewStages(), StageDeploy, StageSmokeTest, StageAudit, StageNotify)
}

// ReviewStages lists the stages that judge a pull request, in order.
func ReviewStages() []Stage {
	return []Stage{StageValidate, StageSecurity, StageTest, StageApproval, StageBuild}
}

// StageResult is what one stage says about one change.
type StageResult struct {
	Name    Stage   `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Reason is one sentence for a person.
	Reason string `json:"reason"`
}

// WorstOf is the verdict of all stages together; of none it is Pass.
func WorstOf(results []StageResult) Verdict {
	vs := make([]Verdict, len(results))
	for i, r := range results {
		vs[i] = r.Verdict
	}
	return Worst(vs...)
}
