package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// bump changes a manifest without changing anything that is judged.
func bump(path string) func(*repo) {
	return func(r *repo) { r.write(path, r.read(path)+"# touched\n") }
}

func both(edits ...func(*repo)) func(*repo) {
	return func(r *repo) {
		for _, e := range edits {
			e(r)
		}
	}
}

func TestChanges(t *testing.T) {
	addLow := func(r *repo) { r.add("data-science", "tiny", "development") }
	tiny := manifestPath("data-science", "tiny", "development")
	for name, tc := range map[string]struct {
		base, head func(*repo)
		verdict    string
		changes    []string
		findings   string // of all changes and of the whole
	}{
		"a manifest that is added is an addition": {
			nil, addLow, "pass", []string{"added " + tiny + " low 5"}, "",
		},
		"a manifest that is modified is a modification": {
			nil, bump(forecast), "pass", []string{"modified " + forecast + " low 5"}, "",
		},
		"a manifest that is removed is a removal, judged by before alone": {
			nil, func(r *repo) { r.remove(churn) }, "pending", []string{"removed " + churn + " high 36"}, "",
		},
		"a rename is a removal and an addition": {
			addLow, func(r *repo) { r.remove(tiny); r.add("data-science", "small", "development") }, "pass",
			[]string{"added " + manifestPath("data-science", "small", "development") + " low 5", "removed " + tiny + " low 5"}, "",
		},
		"a move to another environment is a removal and an addition, judged by the base's facts": {
			nil, func(r *repo) {
				r.remove(ranker)
				r.add("data-science", "product-ranker", "staging")
			}, "pending",
			[]string{"removed " + ranker + " medium 16", "added " + manifestPath("data-science", "product-ranker", "staging") + " medium 16"}, "",
		},
		"a move to another team is a removal and an addition": {
			addLow, func(r *repo) { r.remove(tiny); r.add("clinical-ai", "tiny", "development") }, "pass",
			[]string{"added " + manifestPath("clinical-ai", "tiny", "development") + " low 5", "removed " + tiny + " low 5"}, "",
		},
		"other files are no change, and a pull request with none passes": {
			nil, func(r *repo) { r.write("README.md", "hello"); r.write("models/notes.txt", "n") }, "pass", nil, "",
		},
		"an empty pull request passes": {nil, nil, "pass", nil, ""},
		"a change of mode alone is none": {
			nil, func(r *repo) { r.git("update-index", "--chmod=+x", churn); r.git("config", "core.fileMode", "false") }, "pass", nil, "",
		},
		"a platform change is one entry per file, high, 50, without a model": {
			nil, both(bump("governance.yaml"), bump("teams/data-science.yaml"), bump("overlays/production/scrape.yaml"), bump("policy/phi.rego"), bump("environments/staging.yaml")),
			"pending", []string{
				"modified environments/staging.yaml high 50", "modified governance.yaml high 50",
				"modified overlays/production/scrape.yaml high 50", "modified policy/phi.rego high 50", "modified teams/data-science.yaml high 50",
			}, "",
		},
		"any file in a governing folder is a platform change": {
			nil, func(r *repo) { r.write("policy/README.md", "x"); r.write("overlays/new/notes.txt", "x") }, "pending",
			[]string{"added overlays/new/notes.txt high 50", "added policy/README.md high 50"}, "",
		},
		"a manifest of another spelling is a stray and a warning": {
			nil, func(r *repo) {
				r.write("models/data-science/x/development/deployment.yml", manifest("data-science", "x", "development"))
				r.write("models/data-science/deployment.yaml", manifest("data-science", "x", "development"))
			}, "pass", nil, "stray stray",
		},
		"a broken file of another team at the base does not fail this pull request": {
			func(r *repo) { r.write(clinical, "kind: [") }, bump(forecast), "pass", []string{"modified " + forecast + " low 5"}, "",
		},
		"a broken team file of another team at the base does not fail this pull request": {
			func(r *repo) { r.write("teams/clinical-ai.yaml", "kind: [") }, bump(forecast), "pass", []string{"modified " + forecast + " low 5"}, "",
		},
		"a broken manifest is a finding and fails": {
			nil, func(r *repo) { r.edit(forecast, "kind: ModelDeployment", "kind: ModelDeploymint") }, "fail",
			[]string{"modified " + forecast + " high 50"}, "unknown-value!",
		},
		"mending a broken manifest is judged at the highest, since its facts before are not known": {
			func(r *repo) { r.edit(forecast, "team: data-science", "team: data-science\n  tema: x") },
			func(r *repo) { r.edit(forecast, "\n  tema: x", "") }, "fail",
			[]string{"modified " + forecast + " high 50"}, "justification-required!",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			if p.Verdict != tc.verdict {
				t.Errorf("verdict %s, want %s: %+v", p.Verdict, tc.verdict, p)
			}
			for _, want := range tc.changes {
				if !strings.Contains(p.summary()+"\n", want+"\n") {
					t.Errorf("no change %q in:\n%s", want, p.summary())
				}
			}
			if len(p.Changes) != len(tc.changes) {
				t.Errorf("%d changes:\n%s", len(p.Changes), p.summary())
			}
			all := p.Findings
			for _, c := range p.Changes {
				all = append(all, c.Findings...)
				if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(c.Digest) {
					t.Errorf("digest of %s: %s", c.Path, c.Digest)
				}
				if len(c.Risk.Factors) != 5 {
					t.Errorf("factors of %s: %v", c.Path, c.Risk.Factors)
				}
				platform := !strings.HasPrefix(c.Path, "models/")
				if platform != (c.Model == "") || platform != (c.Team == "") || platform != (c.Environment == "") {
					t.Errorf("identity of %s: %q %q %q", c.Path, c.Team, c.Model, c.Environment)
				}
			}
			if got := codes(all); got != tc.findings {
				t.Errorf("findings %q, want %q: %+v", got, tc.findings, all)
			}
		})
	}
}

func TestTheBaseMovesOn(t *testing.T) {
	t.Run("a file that the base changed since is diverged and fails validate", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		r.git("checkout", "-q", "main")
		r.base(func(r *repo) { r.edit(forecast, `version: "7"`, `version: "8"`) })
		p := r.plan()
		c := p.change(t, forecast)
		if f := find(t, c.Findings, "diverged"); !strings.Contains(f.Message+f.Remedy, "update the branch") {
			t.Errorf("%+v", f)
		}
		if v, _ := p.stage("validate"); v != "fail" || p.Verdict != "fail" {
			t.Errorf("validate %s, verdict %s", v, p.Verdict)
		}
	})
	t.Run("what the base changed elsewhere is no change of this branch", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		r.git("checkout", "-q", "main")
		r.base(bump(churn))
		if p := r.plan(); p.Verdict != "pass" || len(p.Changes) != 1 {
			t.Errorf("%s\n%s", p.Verdict, p.summary())
		}
	})
	t.Run("the same file removed on both sides is diverged", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(func(r *repo) { r.remove(forecast) })
		r.git("checkout", "-q", "main")
		r.base(func(r *repo) { r.remove(forecast) })
		if p := r.plan(); p.Verdict != "fail" || codes(p.change(t, forecast).Findings) != "diverged!" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("governance is read at the base's tip", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		r.git("checkout", "-q", "main")
		r.base(func(r *repo) { r.edit("governance.yaml", "{medium: 15, high: 30}", "{medium: 3, high: 30}") })
		if p := r.plan(); p.Verdict != "pending" || p.change(t, forecast).Risk.Level != "medium" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("governance of the pull request itself does not judge it", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(both(bump(ranker), func(r *repo) { r.edit("governance.yaml", "{medium: 15, high: 30}", "{medium: 45, high: 50}") }))
		p := r.plan()
		if c := p.change(t, ranker); c.Risk.Level != "medium" || p.Verdict != "pending" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("no merge base is an error", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.git("checkout", "-q", "--orphan", "pr")
		r.commit()
		if p := r.plan(); p.Verdict != "error" || p.Changes == nil {
			t.Errorf("%+v", p)
		}
	})
	t.Run("several merge bases are an error", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		r.git("checkout", "-q", "main")
		m := func() string { r.write("README.md", "m"); return r.commit() }()
		p := r.git("rev-parse", "pr")
		r.git("merge", "-q", "-m", "cross", p)
		r.git("checkout", "-q", "pr")
		r.git("merge", "-q", "-m", "cross", m)
		if got := r.plan(); got.Verdict != "error" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a commit of the base merged into the branch is the merge base", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.head(bump(forecast))
		r.git("checkout", "-q", "main")
		r.base(bump(churn))
		r.git("checkout", "-q", "pr")
		r.git("merge", "-q", "-m", "update", "main")
		if got := r.plan(); got.Verdict != "pass" || len(got.Changes) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestGovernanceIsMissing(t *testing.T) {
	for name, edit := range map[string]func(*repo){
		"a base without governance is an error": func(r *repo) { r.remove("governance.yaml") },
		"a broken governance is an error":       func(r *repo) { r.edit("governance.yaml", "quorum: 4", "quorum: 40") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(edit)
			r.head(both(bump(forecast), bump("teams/data-science.yaml")))
			p := r.plan()
			if v, _ := p.stage("approval"); p.Verdict != "error" || v != "error" {
				t.Errorf("%+v", p)
			}
			for _, c := range p.Changes {
				if c.Risk.Level != "high" || c.Approvals.Satisfied {
					t.Errorf("%+v", c)
				}
			}
			if len(p.Findings) == 0 || p.Findings[0].File != "governance.yaml" {
				t.Errorf("it does not say what is wrong: %+v", p.Findings)
			}
		})
	}
}

func TestProposedPlatform(t *testing.T) {
	newTeam := func(r *repo) {
		r.write("teams/search.yaml", strings.ReplaceAll(r.read("teams/clinical-ai.yaml"), "clinical-ai", "search"))
	}
	for name, tc := range map[string]struct {
		base    func(*repo)
		head    func(*repo)
		verdict string
		path    string // of the change with the finding; "" for the whole
		code    string
		say     string
	}{
		"a broken proposal fails": {
			nil, func(r *repo) { r.edit("governance.yaml", "{medium: 15, high: 30}", "{medium: 30, high: 15}") },
			"fail", "governance.yaml", "not-ascending", "",
		},
		"removing the governance fails": {
			nil, func(r *repo) { r.remove("governance.yaml") }, "fail", "governance.yaml", "required", "",
		},
		"removing a role that another file names fails": {
			func(r *repo) {
				r.edit("governance.yaml", "  roles:\n", "  roles:\n    auditor: {users: [aud]}\n")
				r.edit("teams/data-science.yaml", "  roles:\n", "  roles:\n    auditor: {users: [eve]}\n")
			},
			func(r *repo) { r.edit("governance.yaml", "    auditor: {users: [aud]}\n", "") },
			"fail", "teams/data-science.yaml", "unknown-role", "",
		},
		"a team that overrides a role with a board's seat fails": {
			nil, func(r *repo) { r.edit("teams/data-science.yaml", "team-lead: {users", "legal: {users") },
			"fail", "teams/data-science.yaml", "board-seat", "",
		},
		"a good proposal waits for the board": {nil, newTeam, "pending", "", "", ""},
		"a manifest of a team that only the same pull request adds": {
			nil, func(r *repo) { newTeam(r); r.add("search", "finder", "development") },
			"fail", manifestPath("search", "finder", "development"), "unknown-team", "merge the platform change first",
		},
		"a manifest in an environment that only the same pull request adds": {
			nil, func(r *repo) {
				r.write("environments/qa.yaml", strings.ReplaceAll(r.read("environments/development.yaml"), "name: development", "name: qa"))
				r.add("data-science", "finder", "qa")
			},
			"fail", manifestPath("data-science", "finder", "qa"), "unknown-environment", "merge the platform change first",
		},
		"a manifest on a pool that only the same pull request adds": {
			nil, func(r *repo) {
				r.edit("environments/production.yaml", "    - name: gpu-large\n", "    - name: gpu-largest\n")
				r.add("data-science", "finder", "production", "capacity: on-demand", "capacity: on-demand\n    pool: gpu-largest\n    accelerator: {type: nvidia-a10g, count: 1}")
			},
			"fail", manifestPath("data-science", "finder", "production"), "unknown-pool", "merge the platform change first",
		},
		"a manifest of an unknown team is told nothing of a platform change": {
			nil, func(r *repo) { r.add("search", "finder", "development") },
			"fail", manifestPath("search", "finder", "development"), "unknown-team", "there is no team",
		},
		"a manifest that only a pool of the same pull request can take": {
			nil, func(r *repo) {
				r.edit("environments/production.yaml", "    - name: compute\n", "    - name: computer\n      labels: {a: b}\n      taints: []\n      nodes: {min: 0, max: 20, instance: big}\n      allocatable: {cpu: 159, memory: 570Gi}\n      price: {onDemand: \"1.5\", currency: USD, per: hour, source: list, date: 2026-07-20}\n    - name: compute\n")
				r.edit(ranker, `requests: {cpu: "1"`, `requests: {cpu: "20"`)
			},
			"fail", ranker, "no-pool-fits", "merge the platform change first",
		},
		"rules that do not compile fail": {
			nil, func(r *repo) { r.write("policy/phi.rego", "package mooring\nnonsense {") }, "fail", "policy/phi.rego", "", "",
		},
		"a rule whose test fails": {
			nil, func(r *repo) { r.edit("policy/phi.rego", `capacity == "spot"`, `capacity == "sport"`) }, "fail", "policy/phi.rego", "", "",
		},
		"an overlay that loses its patch fails": {
			nil, func(r *repo) { r.remove("overlays/production/scrape.yaml") }, "fail", "", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.base(tc.base)
			r.head(tc.head)
			p := r.plan()
			if p.Verdict != tc.verdict {
				t.Errorf("verdict %s, want %s: %+v", p.Verdict, tc.verdict, p)
			}
			if tc.code == "" {
				return
			}
			all := slices.Clone(p.Findings)
			for _, c := range p.Changes {
				all = append(all, c.Findings...)
			}
			f := find(t, all, tc.code)
			if f.File != tc.path {
				t.Errorf("%s is about %s", f.Code, f.File)
			}
			if !strings.Contains(f.Message, tc.say) || tc.say != "" && strings.Contains(f.Message, "merge the platform") != strings.Contains(tc.say, "merge the platform") {
				t.Errorf("%s says %q", f.Code, f.Message)
			}
		})
	}
}
