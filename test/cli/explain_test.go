package cli

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
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
	t.Run("reviews that cannot be weighed are not called none", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		head := r.head(bump(ranker))
		stdin := `{"author": "dana", "reviews": [{"user": "mia", "type": "User", "state": "APPROVED", "commit_id": "` + head + `", "submitted_at": "` + at + `"}]}`
		o := mlops(t, r.dir, stdin, "explain", "--base", "main", "--head", "pr", "--at", at, "--reviews", "-", ranker)
		if o.code != 3 || strings.Contains(o.stdout, "no review has an opinion") ||
			!strings.Contains(o.stdout, `the reviews were not weighed, for the error below; a team whose members are not known has to be listed under "teams" in the reviews file`) {
			t.Errorf("exit %d\n%s", o.code, o.all())
		}
	})
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

// The explained output is what is rendered, with comments that name lines.
func TestRenderExplain(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	all := []string{"render", "--environment", "production"}
	plain, explained := mlops(t, r.dir, "", all...), mlops(t, r.dir, "", append(all, "--explain")...)
	if plain.code != 0 || explained.code != 0 {
		t.Fatalf("exit %d and %d\n%s%s", plain.code, explained.code, plain.stderr, explained.stderr)
	}
	if diff := cmp.Diff(objects(t, plain.stdout), objects(t, explained.stdout)); diff != "" {
		t.Errorf("an explanation changes what is rendered (-plain +explained):\n%s", diff)
	}
	const churn = "models/data-science/churn-predictor/production/deployment.yaml"
	for _, want := range []string{
		"    maxReplicas: 10 # " + churn + ":16 spec.serving.replicas.max\n",
		churn + ":15 spec.serving.pool (by default): pool compute for the predictor: compute at ",
		"# environments/production.yaml:25 spec.pools[0].labels.workload-type\n",
		"# " + churn + ":23 spec.governance: risk high: 36 of 50 points\n",
		"# exists because of " + churn + ":16 spec.serving.replicas.min\n",
		"requests.cpu: \"64\" # teams/clinical-ai.yaml:11 spec.quotas.production.cpu\n",
	} {
		if !strings.Contains(explained.stdout, want) {
			t.Errorf("it does not say %q", want)
		}
	}

	type origins struct {
		Kind, Name string
		Fields     map[string][]struct {
			File, Field string
			Line        int
		}
	}
	var out []origins
	if err := json.Unmarshal([]byte(mlops(t, r.dir, "", append(all, "--explain", "-o", "json")...).stdout), &out); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(out, func(o origins) bool { return o.Kind == "InferenceService" && o.Name == "churn-predictor" })
	if i < 0 {
		t.Fatal("JSON has no InferenceService")
	}
	from := out[i].Fields["spec.predictor.maxReplicas"]
	if len(from) != 1 || from[0].File != churn || from[0].Line != 16 || from[0].Field != "spec.serving.replicas.max" {
		t.Errorf("JSON has maxReplicas from %+v", from)
	}
}

// objects are the documents of a stream of YAML.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var o map[string]any
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
}
