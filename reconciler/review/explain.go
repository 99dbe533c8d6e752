package review

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/placement"
	"github.com/mlops-platform/mooring/policy/risk"
	"github.com/mlops-platform/mooring/schemas"
)

// Explanation is one node of a decision tree: what was decided, on what
// evidence, and from which decisions it follows.
type Explanation struct {
	// Verdict is empty where the node is evidence and decides nothing.
	Verdict policy.Verdict `json:"verdict,omitempty"`
	Text    string         `json:"text"`
	Because []Explanation  `json:"because,omitempty"`
}

func evidence(format string, args ...any) Explanation {
	return Explanation{Text: fmt.Sprintf(format, args...)}
}

// Explain gives the decision tree of one change of the report.
func (r *Report) Explain(c *Change) Explanation {
	root := Explanation{
		Verdict: c.Verdict,
		Text:    fmt.Sprintf("%s is %s", c.title(), c.Kind),
		Because: []Explanation{c.explainContent()},
	}
	for _, s := range policy.ReviewStages() {
		root.Because = append(root.Because, r.explainStage(c, s))
	}
	root.hide(c)
	return root
}

// Find is the change of a path, or of a unit written TEAM/MODEL/ENVIRONMENT;
// nil where the report has none.
func (r *Report) Find(name string) *Change {
	for _, c := range r.Changes {
		if c.Path == name || !c.Platform() && c.Team+"/"+c.Model+"/"+c.Environment == name {
			return c
		}
	}
	return nil
}

// hide takes secrets out of the whole tree.
func (x *Explanation) hide(c *Change) {
	x.Text = c.hide(x.Text)
	for i := range x.Because {
		x.Because[i].hide(c)
	}
}

func (c *Change) explainContent() Explanation {
	x := evidence("the content: %s", c.Path)
	x.Because = []Explanation{
		evidence("before %s, after %s", blobOf(c.BeforeBlob().String()), blobOf(c.AfterBlob().String())),
		evidence("an approval is of the digest %s, which covers the identity, both contents and the level of risk", c.Digest),
	}
	return x
}

func blobOf(id string) string {
	if id == "" {
		return "nothing"
	}
	return "blob " + id
}

func (r *Report) explainStage(c *Change, s policy.Stage) Explanation {
	x := Explanation{Verdict: policy.Pass, Text: string(s)}
	switch s {
	case policy.StageValidate:
		x.Because = r.explainFit(c)
	case policy.StageApproval:
		x.Because = append([]Explanation{r.explainRisk(c), r.explainNeed(c)}, explainReviews(c)...)
	case policy.StageBuild:
		if c.Diff != "" {
			x.Because = []Explanation{evidence("the rendered objects differ from the base's in %d lines", changedLines(c.Diff))}
		}
		if c.Live != nil {
			x.Because = append(x.Because, evidence("the cluster %s", c.Live.headline()))
		}
	}
	told := c.told[s]
	if told == nil {
		return r.explainPass(x, s)
	}
	x.Verdict = policy.Worst(told.verdict)
	for _, f := range told.findings {
		verdict := policy.Pass
		if f.Severity == schemas.SeverityError {
			verdict = policy.Fail
		}
		x.Because = append(x.Because, Explanation{Verdict: verdict, Text: f.String()})
	}
	for _, n := range told.notes {
		x.Because = append(x.Because, Explanation{Verdict: n.verdict, Text: n.text})
	}
	return x
}

// explainPass says what a stage looked at and found nothing in.
func (r *Report) explainPass(x Explanation, s policy.Stage) Explanation {
	for _, result := range r.Stages {
		if result.Name == s && result.Verdict == policy.Pass {
			x.Because = append(x.Because, evidence("%s", result.Reason))
		}
	}
	return x
}

func changedLines(diff string) int {
	n := 0
	for line := range strings.Lines(diff) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			n++
		}
	}
	return n
}

// explainFit tells what each part of the model was held against.
func (r *Report) explainFit(c *Change) []Explanation {
	if c.Platform() || c.after == nil || r.world == nil {
		return nil
	}
	env := r.world.environment(c.Environment)
	if env == nil {
		return nil
	}
	var out []Explanation
	for _, part := range placement.Parts(env.Spec, c.after.Value) {
		x := evidence("%s: one replica asks for %s on %s capacity; %d to %d replicas", part.Name, part.Demand, part.Demand.Capacity, part.Min, part.Max)
		for _, p := range placement.Candidates(env.Spec, part.Demand) {
			if len(p.Against) > 0 {
				x.Because = append(x.Because, evidence("pool %s is not right: %s", p.Pool, strings.Join(p.Against, "; ")))
				continue
			}
			x.Because = append(x.Because, evidence("pool %s fits at %s %s a replica and month", p.Pool, p.CostPerReplicaMonth, p.Currency))
		}
		out = append(out, x)
	}
	out = append(out, evidence("cost a month: %s", c.Cost.moves()))
	for _, line := range c.fitLines() {
		out = append(out, evidence("%s", line))
	}
	return out
}

// explainRisk shows how the score comes about and which level it falls into.
func (r *Report) explainRisk(c *Change) Explanation {
	if c.Platform() {
		return evidence("risk %s (%d): a governing file decides about the models of others", c.Risk.Level, c.Risk.Score)
	}
	x := evidence("risk %s: %s = %d", c.Risk.Level, sumOf(c.Risk.factors), c.Risk.Score)
	if g := r.governance(); g != nil {
		x.Text += fmt.Sprintf("; medium begins at %d, high at %d", g.Risk.Levels.Medium, g.Risk.Levels.High)
	}
	for _, f := range c.Risk.factors {
		x.Because = append(x.Because, evidence("%s %d: %s", f.Name, f.Score, f.Reason))
	}
	return x
}

func (r *Report) governance() *schemas.GovernanceSpec {
	if r.world == nil {
		return nil
	}
	return r.world.governance()
}

func sumOf(factors []risk.Factor) string {
	var parts []string
	for _, f := range factors {
		parts = append(parts, fmt.Sprint(f.Score))
	}
	return strings.Join(parts, " + ")
}

// explainNeed lists the seats that the level asks for, and who may fill them.
func (r *Report) explainNeed(c *Change) Explanation {
	n := c.need
	if len(n.Seats) == 0 {
		return evidence("which seats are needed could not be told")
	}
	if n.Automatic {
		return evidence("nobody has to approve at this level; it counts as approved on behalf of %s, whose holders may still block", n.Seats[0].Role)
	}
	x := Explanation{Verdict: policy.Pending, Text: fmt.Sprintf("it needs %d of %s, each by a person of their own", n.Quorum, plural(len(n.Seats), "seat"))}
	if n.Quorum == len(n.Seats) {
		x.Text = fmt.Sprintf("it needs all of %s, each by a person of their own", plural(n.Quorum, "seat"))
	}
	if c.Approvals.Satisfied {
		x.Verdict = policy.Pass
	}
	filled := map[string]string{}
	for _, s := range c.Approvals.Slots {
		filled[s.Role] = s.By
	}
	for _, s := range n.Seats {
		seat := evidence("%s (%s)", s.Role, holdersText(s.Holders))
		if s.Chair {
			seat.Text += ", the chair, who must be among them"
		}
		if by, ok := filled[s.Role]; ok {
			seat.Text += ": filled by " + by
		} else {
			seat.Text += ": open"
		}
		x.Because = append(x.Because, seat)
	}
	return x
}

func holdersText(h schemas.RoleHolders) string {
	var parts []string
	for _, t := range h.Teams {
		parts = append(parts, "team "+t)
	}
	parts = append(parts, h.Users...)
	text := strings.Join(parts, ", ")
	if a := h.Alternates; a != nil {
		text += "; alternates: " + holdersText(schemas.RoleHolders{Teams: a.Teams, Users: a.Users})
	}
	return text
}

// explainReviews tells why each review counts or does not. Without seats none was
// held against them, which is not the same as that there is none.
func explainReviews(c *Change) []Explanation {
	var out []Explanation
	switch stage := c.told[policy.StageApproval]; {
	case len(c.need.Seats) == 0 && stage != nil && stage.verdict == policy.Error:
		out = append(out, evidence("the reviews were not weighed, for the error below; "+
			"a team whose members are not known has to be listed under \"teams\" in the reviews file"))
	case len(c.need.Seats) == 0:
		out = append(out, evidence("the reviews were not weighed"))
	case len(c.Approvals.Reasons) == 0:
		out = append(out, evidence("no review has an opinion on it yet"))
	}
	for _, reason := range c.Approvals.Reasons {
		out = append(out, evidence("%s", reason))
	}
	return out
}

// Paths lists the changes by the names that Find takes.
func (r *Report) Paths() []string {
	names := map[string]bool{}
	for _, c := range r.Changes {
		names[c.Path] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// WriteText draws the tree for a terminal.
func (x Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	x.write(&b, "", "")
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func (x Explanation) write(b *strings.Builder, first, rest string) {
	b.WriteString(first)
	if x.Verdict != "" {
		b.WriteString(strings.ToUpper(string(x.Verdict)) + " ")
	}
	b.WriteString(strings.ReplaceAll(x.Text, "\n", " ") + "\n")
	for i, child := range x.Because {
		if i == len(x.Because)-1 {
			child.write(b, rest+"└─ ", rest+"   ")
		} else {
			child.write(b, rest+"├─ ", rest+"│  ")
		}
	}
}

// told is what a stage has said about one change.
type told struct {
	verdict  policy.Verdict
	findings schemas.Findings
	notes    []toldNote
}

type toldNote struct {
	verdict policy.Verdict
	text    string
}

func (c *Change) tell(s policy.Stage) *told {
	if c.told == nil {
		c.told = map[policy.Stage]*told{}
	}
	if c.told[s] == nil {
		c.told[s] = &told{verdict: policy.Pass}
	}
	return c.told[s]
}
