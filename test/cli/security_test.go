package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Values that look like secrets; none of them is one.
var (
	awsKey   = "AKIA" + "QX5ZJ7LT2NWK4RVB"
	password = "hunter2-" + "Zq8vX1"
	token    = "ghp_" + "x7Kq2LmN9pRs4TuV6wXy8zAb1CdE3fGh5JkL"
)

// env gives a model a variable.
func env(name, value string) func(*repo) {
	return func(r *repo) {
		r.edit(ranker, "    autoscaling:", "    env:\n      - {name: "+name+", value: "+value+"}\n    autoscaling:")
	}
}

func TestSecretsAreNeverEchoed(t *testing.T) {
	for name, tc := range map[string]struct {
		head   func(*repo)
		secret string
		code   string
	}{
		"a key in a variable":           {env("SOME_ID", awsKey), awsKey, "secret"},
		"a password in a variable":      {env("DB_PASSWORD", password), password, "secret"},
		"a token in the justification":  {func(r *repo) { r.write(ranker, r.read(ranker)+"  justification: use "+token+"\n") }, token, "secret"},
		"a password in a URL":           {env("DB", `"postgres://app:`+password+`@db:5432/x"`), password, "secret"},
		"a key in a comment":            {func(r *repo) { r.write(ranker, r.read(ranker)+"# "+awsKey+"\n") }, awsKey, "secret"},
		"a token in place of a name":    {func(r *repo) { r.edit(ranker, "    name: product-ranker\n", "    name: "+token+"\n") }, token, "secret"},
		"a token in place of a fact":    {func(r *repo) { r.edit(ranker, "businessImpact: moderate", "businessImpact: "+token) }, token, "secret"},
		"a token in place of a pool":    {func(r *repo) { r.edit(ranker, "    autoscaling:", "    pool: "+token+"\n    autoscaling:") }, token, "secret"},
		"a token in place of a number":  {func(r *repo) { r.edit(ranker, "max: 8", "max: "+token) }, token, "secret"},
		"a token as a field":            {func(r *repo) { r.edit(ranker, "    autoscaling:", "    "+token+": x\n    autoscaling:") }, token, "secret"},
		"a token in broken YAML":        {func(r *repo) { r.write(ranker, "a: [ "+token) }, token, "secret"},
		"a token in a team's file":      {func(r *repo) { r.edit("teams/data-science.yaml", "CC-1001", token) }, token, "secret"},
		"a token as a role":             {func(r *repo) { r.edit("governance.yaml", "seats: [manager,", "seats: ["+token+",") }, token, "secret"},
		"a token in an overlay":         {func(r *repo) { r.edit("overlays/production/scrape.yaml", `"true"`, token) }, token, "secret"},
		"a token in a rule":             {func(r *repo) { r.edit("policy/phi.rego", `== "phi"`, `== "`+token+`"`) }, token, "secret"},
		"a token in a rule that breaks": {func(r *repo) { r.write("policy/phi.rego", "package mooring\n"+token+" {") }, token, "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(tc.head)
			p, o := r.planRaw()
			if p.Verdict != "fail" {
				t.Errorf("verdict %s", p.Verdict)
			}
			if v, _ := p.stage("security"); v != "fail" {
				t.Errorf("security %s", v)
			}
			var all []finding
			for _, c := range p.Changes {
				all = append(all, c.Findings...)
			}
			find(t, all, tc.code)
			outs := map[string]outcome{
				"plan -o json": o,
				"plan":         mlops(t, r.dir, "", "plan", "--base", "main", "--head", "pr"),
				"validate":     mlops(t, r.dir, "", "validate", "-o", "json"),
				"render":       mlops(t, r.dir, "", "render"),
				"render ref":   mlops(t, r.dir, "", "render", "--ref", "pr", "-o", "json"),
			}
			for cmd, o := range outs {
				if strings.Contains(o.all(), tc.secret) {
					t.Errorf("%s shows it:\n%s", cmd, grep(o.all(), tc.secret))
				}
			}
			if code := outs["validate"].code; code != 1 {
				t.Errorf("validate exits %d", code)
			}
		})
	}
}

func TestSecretsInFilesThatNothingReadsFail(t *testing.T) {
	for name, path := range map[string]string{
		"a file beside a manifest":     "models/data-science/product-ranker/production/secret.env",
		"a manifest under a near name": "models/data-science/product-ranker/production/deployment.yml",
		"a manifest at another depth":  "models/data-science/deployment.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(func(r *repo) { r.write(path, "kind: ModelDeployment\nAWS_ACCESS_KEY_ID: "+awsKey+"\n") })
			p, o := r.planRaw()
			if v, _ := p.stage("security"); v != "fail" || p.Verdict != "fail" || len(p.Changes) != 0 {
				t.Errorf("verdict %s, security %s", p.Verdict, v)
			}
			find(t, p.Findings, "secret")
			v := mlops(t, r.dir, "", "validate", "-o", "json")
			if text := grep(o.all()+v.all(), awsKey); v.code != 1 || text != "" {
				t.Errorf("validate exits %d; %s", v.code, text)
			}
		})
	}
	t.Run("one that was there before is no finding of this pull request", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(func(r *repo) { r.write("models/data-science/notes.env", awsKey) })
		r.head(func(r *repo) { r.add("data-science", "a", "production") })
		p, _ := r.planRaw()
		if v, _ := p.stage("security"); v != "pass" {
			t.Errorf("security %s", v)
		}
	})
}

func TestSecretsOfTheBaseAreNotShownEither(t *testing.T) {
	t.Run("in platform files", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(both(func(r *repo) { r.edit("teams/data-science.yaml", "CC-1001", token) }, func(r *repo) { r.edit("overlays/production/scrape.yaml", `"true"`, awsKey) }))
		r.head(func(r *repo) { r.add("data-science", "a", "production") })
		_, o := r.planRaw()
		if text := grep(o.all(), token) + grep(o.all(), awsKey); text != "" {
			t.Error(text)
		}
	})
	t.Run("in the diff that takes one out", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(env("DB_PASSWORD", password))
		r.head(func(r *repo) {
			r.write(ranker, strings.Replace(r.read(ranker), "value: "+password, "valueFrom: {secretKeyRef: {name: db, key: p}}", 1))
		})
		p, o := r.planRaw()
		if p.Verdict != "pending" || strings.Contains(o.all(), password) {
			t.Errorf("%s: %s", p.Verdict, grep(o.all(), password))
		}
	})
}

func grep(text, part string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func TestRules(t *testing.T) {
	rule := func(body string) func(*repo) {
		return func(r *repo) { r.write("policy/extra.rego", "package mooring\n\nimport rego.v1\n\n"+body) }
	}
	const about = `{"code": "c", "path": "spec.model.version", "msg": "m"}`
	for name, tc := range map[string]struct {
		base, head func(*repo)
		path       string
		verdict    string
		security   string
		code       string
		line       int
		say        string
	}{
		"deny fails at the place of its path": {
			rule("deny contains " + about + ` if input.manifest.spec.model.version == "10"`), func(r *repo) { r.edit(ranker, `version: "9"`, `version: "10"`) },
			ranker, "fail", "fail", "c", 13, "m",
		},
		"warn is a warning": {
			rule("warn contains " + about), bump(forecast), forecast, "pass", "pass", "c", 13, "m",
		},
		"an exception silences a deny and is shown": {
			rule("deny contains " + about + "\n\nexception contains {\"code\": \"c\", \"msg\": \"agreed\"}"), bump(forecast), forecast, "pass", "pass", "c", 4, "agreed",
		},
		"the rules see what was before": {
			rule("deny contains " + about + ` if input.before.spec.model.version != input.manifest.spec.model.version`), func(r *repo) { r.edit(forecast, `version: "7"`, `version: "8"`) },
			forecast, "fail", "fail", "c", 13, "m",
		},
		"the rules see team, environment, objects, risk and the time": {
			rule("deny contains " + about + ` if {
	input.team.metadata.name == "data-science"
	input.environment.metadata.name == "development"
	some o in input.objects
	o.kind == "InferenceService"
	input.risk.level == "low"
	startswith(input.now, "2026-06-10T12:00:00")
}`), bump(forecast), forecast, "fail", "fail", "c", 13, "m",
		},
		"a rule of the pull request itself does not judge it": {
			nil, both(rule("deny contains "+about+` if input.manifest.metadata.name == "demand-forecast"`), bump(forecast)), forecast, "pending", "pass", "", 0, "",
		},
		"a path that does not exist is the nearest place": {
			rule(`deny contains {"code": "c", "path": "spec.serving.nothing.here", "msg": "m"}`), bump(forecast), forecast, "fail", "fail", "c", 0, "m",
		},
		"a removal is asked of no rule": {
			rule("deny contains " + about), func(r *repo) { r.remove(forecast) }, forecast, "pass", "pass", "", 0, "",
		},
		"rules at the base that do not compile are an error": {
			func(r *repo) { r.write("policy/extra.rego", "package mooring\nx {") }, bump(forecast), forecast, "error", "error", "", 0, "",
		},
		"rules that reach outside do not compile": {
			rule(`deny contains {"msg": "m"} if http.send({"method": "get", "url": "http://localhost"})`), bump(forecast), forecast, "error", "error", "", 0, "",
		},
		"a rule that never ends is an error": {
			rule(`deny contains {"msg": "m"} if {
	count([x | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); x := a * b]) == 0
}`), bump(forecast), forecast, "error", "error", "", 0, "",
		},
		"an image of another registry fails": {
			nil, func(r *repo) {
				r.edit(fraud, "registry.example.com/data-science/fraud-transformer", "evil.example.com/x")
			}, fraud, "fail", "fail", "image-not-allowed", 21, "registry.example.com/",
		},
		"an image without a digest fails where one is required": {
			nil, func(r *repo) {
				r.edit(fraud, "@sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", ":v1")
			}, fraud, "fail", "fail", "image-not-allowed", 21, "digest",
		},
		"an alias is a warning in plan": {
			nil, func(r *repo) { r.edit(forecast, `version: "7"`, "alias: champion") }, forecast, "pass", "pass", "alias-unresolved", 13, "champion",
		},
		"an alias with a uri is a warning too, since the version is not known": {
			nil, func(r *repo) { r.edit(forecast, `version: "7"`, "alias: champion\n    uri: s3://bucket/model") }, forecast, "pass", "pass", "alias-unresolved", 13, "champion",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			c := p.change(t, tc.path)
			security, _ := p.stage("security")
			if p.Verdict != tc.verdict || security != tc.security {
				t.Errorf("%s, security %s: %+v", p.Verdict, security, p)
			}
			if tc.code == "" {
				if len(c.Findings) > 0 {
					t.Errorf("%+v", c.Findings)
				}
				return
			}
			f := find(t, c.Findings, tc.code)
			if tc.line > 0 && f.Line != tc.line || f.Line == 0 || !strings.Contains(f.Message, tc.say) || f.File != tc.path {
				t.Errorf("%+v, want line %d", f, tc.line)
			}
		})
	}
}

func TestOverlays(t *testing.T) {
	kustomization := "overlays/production/kustomization.yaml"
	t.Run("a broken overlay at the base fails what it is put over, and nothing else", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.base(func(r *repo) { r.edit(kustomization, "path: scrape.yaml", "path: gone.yaml") })
		r.head(both(bump(ranker), bump(forecast)))
		p := r.plan()
		if v, _ := p.stage("build"); v != "fail" || p.Verdict != "fail" {
			t.Errorf("%+v", p)
		}
		if c := p.change(t, forecast); len(c.Findings) > 0 {
			t.Errorf("%+v", c.Findings)
		}
		if v := r.validate(); v.Valid {
			t.Error("validate passes it")
		}
		o := mlops(t, r.dir, "", "render")
		if o.code != 1 || !strings.Contains(o.stdout, "name: demand-forecast") || strings.Contains(o.stdout, "name: product-ranker") {
			t.Errorf("render exits %d\n%s", o.code, o.stderr)
		}
	})
	t.Run("an entry that selects nothing is told of where all models are at hand", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) {
			r.write(kustomization, r.read(kustomization)+"  - target: {kind: InferenceService, name: no-such-model}\n    patch: '[{op: add, path: /metadata/annotations/x, value: y}]'\n")
		})
		line := strings.Count(r.read(kustomization), "\n") - 1
		v := r.validate()
		for name, findings := range map[string][]finding{"validate": v.Findings, "plan": r.plan().change(t, kustomization).Findings} {
			f := find(t, findings, "overlay-unfound")
			if f.File != kustomization || f.Line != line || f.Severity != "warning" {
				t.Errorf("%s: %+v, want line %d", name, f, line)
			}
		}
		if !v.Valid {
			t.Error("the model may be yet to come")
		}
		place := fmt.Sprintf("%s:%d", kustomization, line)
		if o := mlops(t, r.dir, "", "render", "--environment", "production"); o.code != 0 || !strings.Contains(o.stderr, place) {
			t.Errorf("render exits %d\n%s", o.code, o.stderr)
		}
		if o := mlops(t, r.dir, "", "render", "--environment", "production", "--model", "product-ranker"); o.code != 0 || strings.Contains(o.stderr, place) {
			t.Errorf("of a single model nothing can be said, and render exits %d\n%s", o.code, o.stderr)
		}
	})
	t.Run("validate says what an overlay breaks", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(weak("minReplicas: 500"))
		if v := r.validate(); v.Valid || find(t, v.Findings, "overlay-weakens").File != kustomization {
			t.Errorf("%+v", v)
		}
	})
	for name, text := range map[string]string{
		"a remote resource is refused": "resources: [https://example.com/x.yaml]\n",
		"an outside path is refused":   "resources: [../../teams/data-science.yaml]\n",
		"a generator is refused":       "configMapGenerator: [{name: x, literals: [a=b]}]\n",
		"helm is refused":              "helmCharts: [{name: x}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.head(func(r *repo) { r.write(kustomization, r.read(kustomization)+text) })
			if p := r.plan(); p.Verdict != "fail" || len(p.change(t, kustomization).Findings) == 0 {
				t.Errorf("%+v", p)
			}
			if v := r.validate(); v.Valid {
				t.Error("validate passes it")
			}
		})
	}
}

func TestWorktree(t *testing.T) {
	for name, tc := range map[string]struct {
		edit  func(*repo)
		valid bool
		code  string
	}{
		"the example is valid": {func(*repo) {}, true, ""},
		"a file that is a link is refused": {func(r *repo) {
			r.remove(forecast)
			if err := os.Symlink("/etc/passwd", r.path(forecast)); err != nil {
				r.t.Fatal(err)
			}
		}, false, "refused-file!"},
		"a folder that is a link is refused": {func(r *repo) {
			if err := os.Symlink("../data-science", r.path("models/clinical-ai/linked")); err != nil {
				r.t.Fatal(err)
			}
		}, false, "refused-file!"},
		"a file over the cap is refused": {func(r *repo) { r.write(forecast, strings.Repeat("#", 256<<10+1)) }, false, "refused-file!"},
		"a file at the cap is read": {func(r *repo) {
			text := r.read(forecast)
			r.write(forecast, text+strings.Repeat("#", 256<<10-len(text)))
		}, true, ""},
		"a folder of the name .git is refused": {func(r *repo) { r.write("models/data-science/x/.git/config", "x") }, false, "refused-file!"},
		"what lies outside the known folders is never read": {func(r *repo) {
			if err := os.Symlink("/etc/passwd", r.path("link")); err != nil {
				r.t.Fatal(err)
			}
			r.write("notes/deployment.yaml", "kind: [")
		}, true, ""},
		"CRLF and a leading --- are fine": {func(r *repo) {
			r.write(forecast, strings.ReplaceAll("---\n"+r.read(forecast), "\n", "\r\n"))
		}, true, ""},
		"JSON is fine": {func(r *repo) {
			r.write(forecast, `{"apiVersion":"mlops-platform.com/v1alpha1","kind":"ModelDeployment","metadata":{"name":"demand-forecast"},"spec":{"team":"data-science","environment":"development","model":{"name":"demand-forecast","version":"7","format":"sklearn"},"serving":{"resources":{"requests":{"cpu":"1","memory":"1Gi"}}},"governance":{"businessImpact":"low","customerExposure":"none","dataSensitivity":"internal","regulations":[],"explainability":"none"}}}`)
		}, true, ""},
		"an alias in YAML is refused": {func(r *repo) { r.write(forecast, r.read(forecast)+"  features: [&a x, *a]\n") }, false, ""},
		"two documents are refused":   {func(r *repo) { r.write(forecast, r.read(forecast)+"---\na: b\n") }, false, ""},
		"a version that is a number":  {func(r *repo) { r.edit(forecast, `"7"`, "7") }, false, ""},
		"broken files are counted":    {func(r *repo) { r.write(forecast, "kind: [") }, false, "syntax!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			tc.edit(r)
			v := r.validate()
			if v.Valid != tc.valid || tc.code != "" && codes(v.Findings) != tc.code {
				t.Errorf("valid %v, %s: %+v", v.Valid, codes(v.Findings), v.Findings)
			}
			if v.Manifests != 9 {
				t.Errorf("%d manifests", v.Manifests)
			}
		})
	}
}
