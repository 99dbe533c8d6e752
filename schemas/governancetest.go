package schemas

import (
	"time"

	"gopkg.in/yaml.v3"
)

// GovernanceTestPath is where the cases of the governance stand in a model
// repository. Nothing is judged by them, so the file is no platform file.
const GovernanceTestPath = "governance_test.yaml"

// MaxCases bounds the cases of a GovernanceTest.
const MaxCases = 200

// GovernanceTest is governance_test.yaml: changes, who reviewed them, and what
// the gate has to say.
type GovernanceTest struct {
	APIVersion string             `json:"apiVersion" rule:"const=mlops-platform.com/v1alpha1"`
	Kind       Kind               `json:"kind" rule:"const=GovernanceTest"`
	Metadata   Metadata           `json:"metadata"`
	Spec       GovernanceTestSpec `json:"spec"`
}

// GovernanceTestSpec is what the cases have in common, and the cases.
type GovernanceTestSpec struct {
	// At is the time of judging, where a case names none.
	At time.Time `json:"at"`
	// Teams maps "org/slug" to its members. A team that is not listed has nobody.
	Teams map[string][]string `json:"teams,omitempty" rule:"key=team-slug,login,fold"`
	// Cases are 1 to MaxCases, each with a name of its own.
	Cases []Case `json:"cases" rule:"items=1"`
}

// Case is a pull request that changes one file, and what it must be told.
// Exactly one of Patch, Content and Remove says what happens to the file.
type Case struct {
	Name string `json:"name" rule:"line"`
	// Path of a manifest or a platform file.
	Path string `json:"path" rule:"path"`
	// Patch is a JSON merge patch (RFC 7396) over the file as it lies in the
	// working tree. An empty one touches the file and changes no value.
	Patch *Fragment `json:"patch,omitempty"`
	// Content is the whole new text of the file.
	Content *string `json:"content,omitempty"`
	Remove  bool    `json:"remove,omitempty"`
	// Author of the pull request and of its commit.
	Author string `json:"author" rule:"optional,login" jsonschema:"default=author"`
	// At is the time of judging; that of the spec by default.
	At      time.Time    `json:"at" rule:"optional"`
	Reviews []CaseReview `json:"reviews,omitempty"`
	Expect  Expectation  `json:"expect"`
}

// DefaultAuthor writes a case's pull request where the case names nobody.
const DefaultAuthor = "author"

// CaseReview is a review of the case's commit.
type CaseReview struct {
	User  string      `json:"user" rule:"login"`
	State ReviewState `json:"state"`
	// Ago is how long before the time of judging it was submitted.
	Ago Duration `json:"ago" rule:"optional" jsonschema:"default=1m"`
}

// DefaultAgo is the age of a review that names none.
const DefaultAgo = Duration(time.Minute)

// ReviewState is what a review says, in GitHub's words.
type ReviewState string

// The states of a review.
const (
	ReviewApproved         ReviewState = "APPROVED"
	ReviewChangesRequested ReviewState = "CHANGES_REQUESTED"
	ReviewDismissed        ReviewState = "DISMISSED"
	ReviewCommented        ReviewState = "COMMENTED"
)

// Expectation is what the gate has to say of a case. Only what is written is
// compared, and something must be.
type Expectation struct {
	Verdict ExpectedVerdict `json:"verdict,omitempty"`
	// Level and Score are the change's risk.
	Level RiskLevel `json:"level,omitempty"`
	Score *int      `json:"score,omitempty" rule:"min=0,max=50"`
	// Missing are exactly the roles whose seats are still open, in any order.
	Missing []string `json:"missing,omitempty" rule:"word,set"`
	// Seats maps roles to who fills their seats; others may be filled too.
	Seats map[string]string `json:"seats,omitempty" rule:"key=word,login,items=1"`
	// Findings are exactly the codes of the findings that are errors, in any order.
	Findings []string `json:"findings,omitempty" rule:"word,set"`
	// Stages maps stages to their verdicts; others may have any.
	Stages map[string]ExpectedVerdict `json:"stages,omitempty" rule:"key=word,items=1"`
}

// ExpectedVerdict is one of policy's verdicts.
type ExpectedVerdict string

// The verdicts, best first.
const (
	ExpectPass    ExpectedVerdict = "pass"
	ExpectPending ExpectedVerdict = "pending"
	ExpectFail    ExpectedVerdict = "fail"
	ExpectError   ExpectedVerdict = "error"
)

// Fragment is a mapping of the author's own, part of another kind of file. It is
// kept as it is written, because numbers and texts mean what they are spelt as.
type Fragment struct{ node *yaml.Node }
