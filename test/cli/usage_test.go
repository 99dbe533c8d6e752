package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongCalls(t *testing.T) {
	r := newRepo(t)
	r.head(bump(forecast))
	reviews := func(text string) string {
		file := filepath.Join(t.TempDir(), "reviews.json")
		write(t, file, text)
		return file
	}
	empty := t.TempDir()
	plan := func(more ...string) []string {
		return append([]string{"plan", "--repo", r.dir, "--base", "main", "--head", "pr"}, more...)
	}
	for name, tc := range map[string]struct {
		args []string
		say  string
	}{
		"an unknown command":                  {[]string{"plann"}, "plann"},
		"an unknown option":                   {plan("--nope"), "--nope"},
		"an argument that plan does not take": {plan("extra"), `"extra" is out of place: 'mlops plan' takes options alone`},
		"a command that is nearly right":      {[]string{"audit", "verfy"}, `unknown command "verfy" for 'mlops audit'; did you mean verify?`},
		"a value of a switch":                 {[]string{"render", "--repo", r.dir, "--explain", "true"}, `"true" is out of place: --explain needs no value; leave it out, or write --explain=true`},
		"a value of a switch where a folder may be": {
			[]string{"test-policy", "--verbose", "false", "--run", "x"}, `"false" is out of place: --verbose needs no value`,
		},
		"a value of the demo's switch":            {[]string{"demo", "--exit", "true"}, "--exit=true"},
		"a second folder":                         {[]string{"test-policy", r.dir, "extra"}, `"extra" is out of place: 'mlops test-policy' takes one DIR`},
		"a second change":                         {[]string{"explain", "a", "b", "--repo", r.dir}, `"b" is out of place: 'mlops explain' takes one CHANGE`},
		"a second log":                            {[]string{"audit", "verify", "a", "b"}, `"b" is out of place`},
		"no manifest":                             {[]string{"model", "verify"}, "needs the argument FILE"},
		"a second shell":                          {[]string{"completion", "bash", "zsh"}, "zsh"},
		"plan without base":                       {[]string{"plan", "--repo", r.dir, "--head", "pr"}, "--base"},
		"plan without head":                       {[]string{"plan", "--repo", r.dir, "--base", "main"}, "--head"},
		"an unknown reference":                    {[]string{"plan", "--repo", r.dir, "--base", "main", "--head", "nowhere"}, "nowhere"},
		"a reference like an option":              {[]string{"plan", "--repo", r.dir, "--base", "main", "--head=--all"}, "--all"},
		"an empty reference":                      {[]string{"plan", "--repo", r.dir, "--base", "main", "--head", ""}, "--head"},
		"an unknown folder":                       {[]string{"plan", "--repo", r.dir + "/nowhere", "--base", "main", "--head", "pr"}, "nowhere"},
		"a folder that is no repository":          {[]string{"plan", "--repo", empty, "--base", "main", "--head", "pr"}, "repository"},
		"a time that is none":                     {plan("--at", "yesterday"), "yesterday"},
		"a date without a time":                   {plan("--at", "2026-06-10"), "2026-06-10"},
		"an empty time":                           {plan("--at", ""), "--at"},
		"an unknown format":                       {plan("-o", "xml"), "xml"},
		"a reviews file that is missing":          {plan("--reviews", empty+"/none.json"), "none.json"},
		"an empty name of a reviews file":         {plan("--reviews", ""), ""},
		"a reviews file that is no JSON":          {plan("--reviews", reviews("{")), "JSON"},
		"a reviews file that is a list":           {plan("--reviews", reviews("[]")), "object"},
		"a reviews file with an unknown field":    {plan("--reviews", reviews(`{"author":"a","commiters":[]}`)), "commiters"},
		"a reviews file with a field in capitals": {plan("--reviews", reviews(`{"Author":"a"}`)), "Author"},
		"a reviews file with something behind":    {plan("--reviews", reviews(`{"author":"a"} {}`)), ""},
		"reviews without an author":               {plan("--reviews", reviews(`{"reviews":[{"user":"a","state":"APPROVED"}]}`)), "author"},
		"a review with a time that is none":       {plan("--reviews", reviews(`{"author":"a","reviews":[{"user":"b","state":"APPROVED","submitted_at":"now"}]}`)), ""},
		"a review of an unknown state": {
			plan("--reviews", reviews(`{"author":"a","reviews":[{"user":"b","state":"APPROVE"}]}`)), `unknown state "APPROVE"; known are APPROVED, `,
		},
		"validate of an unknown folder":            {[]string{"validate", r.dir + "/nowhere"}, "nowhere"},
		"validate of a file":                       {[]string{"validate", "governance.yaml"}, "not a folder: governance.yaml; did you mean 'mlops validate .'?"},
		"validate of a manifest":                   {[]string{"validate", churn}, "did you mean 'mlops validate .'?"},
		"validate of a folder inside":              {[]string{"validate", "models/data-science"}, "models/data-science is inside of a model repository; did you mean 'mlops validate .'?"},
		"validate of a file of no repository":      {[]string{"validate", reviews("{}")}, "give the folder where governance.yaml lies"},
		"test-policy of a folder inside":           {[]string{"test-policy", "policy"}, "did you mean 'mlops test-policy .'?"},
		"validate of two folders":                  {[]string{"validate", r.dir, r.dir}, ""},
		"validate with an unknown option":          {[]string{"validate", "--nope"}, "--nope"},
		"render of an unknown model":               {[]string{"render", "--repo", r.dir, "--environment", "production", "--model", "nothing"}, "nothing"},
		"render of a model of another environment": {[]string{"render", "--repo", r.dir, "--environment", "production", "--model", "demand-forecast"}, "demand-forecast"},
		"render of an unknown environment":         {[]string{"render", "--repo", r.dir, "--environment", "moon"}, "moon"},
		"render of an unknown reference":           {[]string{"render", "--repo", r.dir, "--ref", "nowhere"}, "nowhere"},
		"render of an unknown folder":              {[]string{"render", "--repo", r.dir + "/nowhere"}, "nowhere"},
		"render with an unknown format":            {[]string{"render", "--repo", r.dir, "-o", "text"}, "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := mlops(t, r.dir, "", tc.args...)
			if o.code != 2 {
				t.Errorf("exit %d", o.code)
			}
			if o.stdout != "" || !strings.HasPrefix(o.stderr, "mlops: ") || !strings.Contains(o.stderr, tc.say) || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("stdout %q, stderr %q", o.stdout, o.stderr)
			}
		})
	}
}

func TestTheRepositoryAroundAFolderIsNamedAsOneWouldTypeIt(t *testing.T) {
	r := newRepo(t)
	o := mlops(t, r.path("models/data-science"), "", "validate")
	if o.code != 2 || !strings.Contains(o.stderr, "did you mean 'mlops validate ../..'?") {
		t.Errorf("exit %d: %s", o.code, o.all())
	}
	if o := mlops(t, t.TempDir(), "", "validate", r.path("models")); !strings.HasSuffix(o.stderr, "did you mean 'mlops validate "+r.dir+"'?\n") {
		t.Errorf("exit %d: %s", o.code, o.all())
	}
	// What is in Git has its end there: what lies around it is another's.
	r.write("inner/.git/HEAD", "")
	if o := mlops(t, r.path("inner"), "", "validate"); o.code != 1 || !strings.Contains(o.stdout, "governance.yaml") {
		t.Errorf("exit %d: %s", o.code, o.all())
	}
}

// Where no cluster is named, the remedy is one that kubectl's users know.
func TestCommandsThatNeedAClusterSayHowToNameOne(t *testing.T) {
	r := newRepo(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", "")
	for name, args := range map[string][]string{
		"diff": {"diff"}, "agenda": {"agenda"},
	} {
		t.Run(name, func(t *testing.T) {
			o := mlops(t, r.dir, "", args...)
			if o.code != 3 || !strings.Contains(o.stderr, "set KUBECONFIG, or give --kubeconfig FILE") || strings.Contains(o.stderr, "KUBERNETES_MASTER") {
				t.Errorf("exit %d: %s", o.code, o.all())
			}
			o = mlops(t, r.dir, "", append(args, "--kubeconfig", "nowhere.yaml")...)
			if o.code != 3 || !strings.Contains(o.stderr, "nowhere.yaml") {
				t.Errorf("--kubeconfig is not heeded: exit %d: %s", o.code, o.all())
			}
		})
	}
}

func TestReferences(t *testing.T) {
	r := newRepo(t)
	r.head(bump(forecast))
	r.git("tag", "-a", "-m", "annotated", "v1", "pr")
	r.git("update-ref", "refs/pull/7/head", "pr")
	r.git("branch", "feature/ünï-code.x", "pr")
	r.git("checkout", "-q", "--detach", "pr")
	sha := r.git("rev-parse", "pr")
	for name, head := range map[string]string{
		"a branch": "pr", "a full commit": sha, "an abbreviated commit": sha[:10], "an annotated tag": "v1",
		"a full reference": "refs/heads/pr", "a pull request's reference": "refs/pull/7/head",
		"a branch with slashes and letters": "feature/ünï-code.x", "a detached HEAD": "HEAD", "@": "@",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := mlops(t, r.dir, "", "plan", "--base", "pr~1", "--head", head)
			if o.code != 0 || !strings.Contains(o.stdout, "demand-forecast") {
				t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
	t.Run("a folder inside a repository", func(t *testing.T) {
		t.Parallel()
		if o := mlops(t, filepath.Join(r.dir, "models"), "", "plan", "--base", "main", "--head", "pr"); o.code != 0 {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
	})
	t.Run("an empty repository has no reference", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if out, err := runGit(dir, "", "init", "-q", "-b", "main"); err != nil {
			t.Fatal(out)
		}
		if o := mlops(t, dir, "", "plan", "--base", "main", "--head", "HEAD"); o.code != 2 {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
		if o := mlops(t, dir, "", "validate"); o.code != 1 || !strings.Contains(o.stdout, "governance.yaml") {
			t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
		}
	})
	t.Run("reviews may come from standard input", func(t *testing.T) {
		t.Parallel()
		if o := mlops(t, r.dir, `{"author":"a","reviews":[]}`, "plan", "--base", "main", "--head", "pr", "--reviews", "-"); o.code != 0 {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
	})
	t.Run("without a reviews file nobody has reviewed, and no team need be known", func(t *testing.T) {
		t.Parallel()
		if o := mlops(t, r.dir, "", "plan", "--base", "main", "--head", "main"); o.code != 0 {
			t.Errorf("exit %d: %s", o.code, o.stderr)
		}
	})
}

func TestTheSameCallGivesTheSameBytes(t *testing.T) {
	r := newRepo(t)
	r.base(func(r *repo) {
		for _, team := range []string{"data-science", "clinical-ai"} {
			r.edit("teams/"+team+".yaml", "warn: 80%", "warn: 1%")
		}
	})
	r.head(func(r *repo) {
		for _, path := range []string{churn, ranker, clinical, fraud, tagger} {
			r.write(path, strings.Replace(r.read(path), "replicas: {min: ", "replicas: {min: 9", 1))
		}
		r.write("models/data-science/x/Deployment.yaml", "x")
		r.edit("environments/staging.yaml", "  namespace:", "  namespaze:")
		r.edit("teams/data-science.yaml", "team-lead:", "nobody:")
	})
	for name, args := range map[string][]string{
		"plan -o json": {"plan", "--base", "main", "--head", "pr", "--at", at, "-o", "json"},
		"plan":         {"plan", "--base", "main", "--head", "pr", "--at", at},
		"validate":     {"validate", "-o", "json"},
		"render":       {"render", "--ref", "main", "-o", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := mlops(t, r.dir, "", args...)
			for range 4 {
				if again := mlops(t, r.dir, "", args...); again.stdout != first.stdout || again.stderr != first.stderr {
					t.Fatal("another run says something else")
				}
			}
		})
	}
}

func TestRender(t *testing.T) {
	r := newRepo(t)
	r.base(func(r *repo) {
		r.write(ranker, "kind: [")
		r.edit(forecast, `version: "7"`, "alias: champion")
		r.edit(churnStage, "  environment: staging", "  environment: production")
	})
	objects := func(o outcome) []map[string]any {
		var list []map[string]any
		if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || list == nil {
			t.Fatalf("no array: %v\n%s", err, o.stdout)
		}
		return list
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		with []string // in the output
		not  []string
		err  []string // in standard error
	}{
		"the other models are rendered, findings go to standard error": {
			[]string{"--environment", "production"}, 1, []string{"churn-predictor", "fraud-score", "readmission-risk"}, []string{`"product-ranker"`}, []string{ranker + ":1"},
		},
		"a model that is right is rendered alone": {
			[]string{"--environment", "production", "--model", "fraud-score"}, 0, []string{"fraud-score"}, []string{"churn-predictor", `"Namespace"`}, nil,
		},
		"a model that is broken is an empty array": {
			[]string{"--environment", "production", "--model", "product-ranker"}, 1, nil, []string{"kind"}, []string{ranker},
		},
		"an alias is a finding in render": {
			[]string{"--environment", "development"}, 1, nil, []string{"InferenceService"}, []string{"champion"},
		},
		"a manifest whose path says another environment is not rendered": {
			[]string{"--environment", "staging"}, 1, []string{"image-tagger"}, []string{`"churn-predictor"`}, []string{churnStage},
		},
		"all environments": {nil, 1, []string{"image-tagger", "fraud-score"}, nil, []string{ranker, forecast, churnStage}},
		"a commit":         {[]string{"--ref", "main", "--environment", "production"}, 1, []string{"fraud-score"}, nil, []string{ranker}},
		"a commit before":  {[]string{"--ref", "main~1", "--environment", "production"}, 0, []string{`"product-ranker"`}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := mlops(t, r.dir, "", append([]string{"render", "-o", "json"}, tc.args...)...)
			if o.code != tc.code {
				t.Errorf("exit %d: %s", o.code, o.stderr)
			}
			objects(o)
			for _, s := range tc.with {
				if !strings.Contains(o.stdout, s) {
					t.Errorf("no %s", s)
				}
			}
			for _, s := range tc.not {
				if strings.Contains(o.stdout, s) {
					t.Errorf("%s is there", s)
				}
			}
			for _, s := range tc.err {
				if !strings.Contains(o.stderr, s) {
					t.Errorf("standard error does not say %s: %s", s, o.stderr)
				}
			}
			if tc.err == nil && o.stderr != "" {
				t.Errorf("stderr %q", o.stderr)
			}
		})
	}
}

func TestFilesOfTheProgramsHelp(t *testing.T) {
	for _, command := range []string{"", "validate", "test-policy", "plan", "explain", "render", "agenda", "model verify", "diff", "audit", "audit verify", "audit export"} {
		o := mlops(t, t.TempDir(), "", append(strings.Fields(command), "--help")...)
		if o.code != 0 || !strings.Contains(o.stdout, "Usage:") || o.stderr != "" {
			t.Errorf("%s --help: exit %d %s", command, o.code, o.stderr)
		}
		for line := range strings.Lines(o.stdout) {
			if len([]rune(line)) > 121 {
				t.Errorf("%s --help has a line of %d characters: %s", command, len(line), line)
			}
		}
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatal(err)
	}
}
