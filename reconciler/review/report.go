package review

import (
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/policy/metrics"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/policy/secrets"
	"github.com/mlops-platform/mooring/policy/sla"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// Report is everything that a pull request is told. Its JSON form is a contract.
type Report struct {
	Verdict policy.Verdict       `json:"verdict"`
	Stages  []policy.StageResult `json:"stages"`
	Changes []*Change            `json:"changes"`
	// Findings belong to no single change.
	Findings schemas.Findings `json:"findings"`
	// Base and Head are the commits that were compared.
	Base source.ID `json:"base"`
	Head source.ID `json:"head"`
	// BrokenGlass lists who lifts the rules of time, and for which change.
	BrokenGlass []BrokenGlass `json:"brokenGlass,omitempty"`
	// Meetings are those of the boards that changes wait for, in the order of the changes.
	Meetings []Meeting `json:"meetings,omitempty"`
	// Requested is when approval was asked for; see People.
	Requested time.Time `json:"requested,omitzero"`
	// Until is when the report may become another one by the passing of time
	// alone; zero: never.
	Until time.Time `json:"-"`

	// world is what everything was judged by; Explain reads it.
	world *world
}

// Meeting is the next one of a board.
type Meeting struct {
	Board string `json:"board"`
	schemas.BoardMeeting
}

// Change is one manifest, or one platform file, before → after.
type Change struct {
	Path string `json:"path"`
	// Team, Model and Environment are empty for a platform file.
	Team        string            `json:"team"`
	Model       string            `json:"model"`
	Environment string            `json:"environment"`
	Kind        source.ChangeKind `json:"kind"`
	Digest      string            `json:"digest"`
	Verdict     policy.Verdict    `json:"verdict"`
	Risk        Risk              `json:"risk"`
	Approvals   Approvals         `json:"approvals"`
	Cost        Cost              `json:"cost"`
	// Opens is when the environment's next change window opens, in its time zone;
	// zero where the change need not wait for one.
	Opens time.Time `json:"opens,omitzero"`
	// Placement says which pool was chosen and why; empty for a platform file.
	Placement string `json:"placement,omitempty"`
	// Registered is what the registry has of the version that is brought; absent
	// where none was asked or it has none.
	Registered *RegisteredModel `json:"registered,omitempty"`
	// Metrics are the outcomes of the manifest's checks, in their order.
	Metrics  []metrics.Row    `json:"metrics,omitempty"`
	Findings schemas.Findings `json:"findings"`
	// Diff of the rendered objects, base against head, in unified form.
	// Empty where the head's could not be rendered.
	Diff string `json:"diff,omitempty"`
	// Impact of a platform file's change on the models; nil otherwise.
	Impact *Impact `json:"impact,omitempty"`
	// Live is what the cluster holds, against the head; nil where none was asked.
	Live *LiveDiff `json:"live,omitempty"`

	file   source.FileChange
	glass  []BrokenGlass
	hold   hold
	before *schemas.Document[schemas.ModelDeployment]
	after  *schemas.Document[schemas.ModelDeployment]
	// approved is what stands approved where the base holds something else.
	approved approvedSide

	// registered is what the registry has of both sides; factsUnknown, why it could
	// not say.
	registered   registered
	factsUnknown string

	secretsBefore, secretsAfter secrets.Report
	// hideBase takes the secrets of the base's platform files out of a text.
	hideBase func(string) string
	// need is which seats the change has to fill.
	need approval.Need
	// told is what each stage said, and totals the team's, for Explain.
	told   map[policy.Stage]*told
	totals *totals
	// unrendered says why there are no objects of the head; empty where there are,
	// and for a removal.
	unrendered string
	// dashboards are told in the comment, and abridged is the diff without them;
	// neither where none differs.
	dashboards []toldDashboard
	abridged   string
	// placed is where the model would run; empty where no pool takes it.
	placed placement.Placement
}

// newChange is a change of which nothing is known yet. Its lists are empty, not
// nil: in JSON they are lists even where the gate could not judge.
func newChange(f source.FileChange, hideBase func(string) string) *Change {
	return &Change{
		hideBase: hideBase,
		Path:     f.Path, Kind: f.Kind, Findings: schemas.Findings{}, Verdict: policy.Pass, file: f,
		Approvals: Approvals{Slots: []approval.Slot{}, Missing: []string{}, BlockedBy: []string{}, Reasons: []string{}},
	}
}

// Platform reports whether the change is of a governing file.
func (c *Change) Platform() bool { return c.Model == "" }

// BeforeBlob and AfterBlob are the contents that the change is between.
func (c *Change) BeforeBlob() source.ID { return c.file.Before.Blob }

// AfterBlob is the content that the change brings; empty for a removal.
func (c *Change) AfterBlob() source.ID { return c.file.After.Blob }

// unit is the model that the change is about.
func (c *Change) unit() schemas.Unit {
	return schemas.Unit{Team: c.Team, Model: c.Model, Environment: c.Environment}
}

// Risk is an assessment in the report's form.
type Risk struct {
	Score   int               `json:"score"`
	Level   schemas.RiskLevel `json:"level"`
	Factors map[string]int    `json:"factors"`
	Reasons []string          `json:"reasons"`

	factors []risk.Factor
}

func riskOf(a risk.Assessment) Risk {
	r := Risk{Score: a.Score, Level: a.Level, Factors: map[string]int{}, Reasons: []string{}, factors: a.Factors}
	for _, f := range a.Factors {
		r.Factors[f.Name] = f.Score
		r.Reasons = append(r.Reasons, f.Name+": "+f.Reason)
	}
	return r
}

// Approvals says who has approved and who has to.
type Approvals struct {
	Satisfied bool            `json:"satisfied"`
	Slots     []approval.Slot `json:"slots"`
	Missing   []string        `json:"missing"`
	BlockedBy []string        `json:"blockedBy"`
	// Voided are those whose approval was of other content than the head's.
	Voided []string `json:"voided,omitempty"`
	// Reasons say why each review counts or does not.
	Reasons []string `json:"reasons"`
	// SLA is the time that the level gives to approve, and Due when it is over:
	// zero where nothing is awaited, or nobody was asked. Overdue says that it is.
	SLA     schemas.Duration `json:"sla,omitzero"`
	Due     time.Time        `json:"due,omitzero"`
	Overdue bool             `json:"overdue,omitempty"`
	// Expires is when the first of the approvals in Slots stops counting.
	Expires time.Time `json:"expires,omitzero"`

	// stage is how far the time to approve had run at the time of judging.
	stage sla.Stage
}

// Cost of a month in the pool's currency; Before and After at replicas.min,
// Max at replicas.max; written rounded to cents. What is not known is zero.
type Cost struct {
	Currency         string         `json:"currency"`
	MonthlyBefore    placement.Cost `json:"monthlyBefore"`
	MonthlyAfter     placement.Cost `json:"monthlyAfter"`
	MonthlyMaxBefore placement.Cost `json:"monthlyMaxBefore"`
	MonthlyMaxAfter  placement.Cost `json:"monthlyMaxAfter"`
	// UnknownBefore and UnknownAfter: there is a model on that side, and what it
	// costs is not known, because no pool takes it or its manifest is broken.
	UnknownBefore bool `json:"unknownBefore,omitempty"`
	UnknownAfter  bool `json:"unknownAfter,omitempty"`
}
