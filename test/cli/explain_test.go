package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// tree is a node of explain's JSON.
type tree struct {
	Verdict, Text string
	Because       []tree
}

// worst is the worst verdict among a node's children.
func (x tree) worst() string {
	order := "pass pending fail error"
	worst := "pass"
	for _, b := range x.Because {
		if strings.Index(order, b.Verdict) > strings.Index(order, worst) {
			worst = b.Verdict
		}
	}
	return worst
}

func (x tree) all() string {
	text := x.Text
	for _, b := range x.Because {
		text += "\n" + b.all()
	}
	return text
}

func TestExplain(t *testing.T) {
	const key = "AKIAQ3EGRTZMXKPLWVYB"
	for name, tc := range map[string]struct {
		edit  func(*repo)
		name  string
		exit  int
		says  []string
		hides string
	}{
		"a low risk passes": {bump(forecast), forecast, 0, []string{
			"nobody has to approve at this level; it counts as approved on behalf of team-lead",
			"pool compute fits at ", "quota of team data-science in development: cpu ", "budget of team data-science over all environments: ",
		}, ""},
		"a high risk shows its sum and the board": {bump(fraud), "data-science/fraud-score/production", 1, []string{
			"risk high: 10 + 8 + 8 + 9 + 10 = 45; medium begins at 15, high at 30",
			"it needs 4 of 6 seats, each by a person of their own", "vp-engineering (octo-vp), the chair, who must be among them: open",
			"pool phi is not right: it is only for data of sensitivity phi, not pii",
		}, ""},
		"a governing file shows what it reaches": {bump("governance.yaml"), "governance.yaml", 1, []string{"a governing file decides about the models of others"}, ""},
		"a finding stands under its stage":       {func(r *repo) { r.edit(forecast, "team: data-science", "team: nobody") }, forecast, 1, []string{forecast + ":"}, ""},
		"a secret stays hidden": {func(r *repo) {
			r.write(forecast, strings.Replace(r.read(forecast), "metadata:", "x: "+key+"\nmetadata:", 1))
		}, forecast, 1, []string{"secret"}, key},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(tc.edit)
			args := []string{"explain", "--repo", r.dir, "--base", "main", "--head", "pr", "--at", at, tc.name}
			o := mlops(t, r.dir, "", append(args, "-o", "json")...)
			var trees []tree
			if err := json.Unmarshal([]byte(o.stdout), &trees); err != nil || len(trees) != 1 || o.code != tc.exit {
				t.Fatalf("exit %d, %v\n%s", o.code, err, o.all())
			}
			// The verdict follows from the stages, and nothing else.
			if root := trees[0]; root.Verdict != root.worst() || len(root.Because) != 6 {
				t.Errorf("the verdict is %s, that of the stages %s", root.Verdict, root.worst())
			}
			text := mlops(t, r.dir, "", args...)
			for _, s := range tc.says {
				if !strings.Contains(trees[0].all(), s) || !strings.Contains(text.stdout, s) {
					t.Errorf("it does not say %q:\n%s", s, text.stdout)
				}
			}
			if tc.hides != "" && strings.Contains(o.all()+text.all(), tc.hides) {
				t.Error("it tells the secret")
			}
		})
	}
	t.Run("a change that is none", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		o := mlops(t, r.dir, "", "explain", "--repo", r.dir, "--base", "main", "--head", "pr", "nothing")
		if o.code != 2 || o.stdout != "" || !strings.Contains(o.stderr, "changed are "+forecast) {
			t.Errorf("exit %d\n%s", o.code, o.all())
		}
	})
}
