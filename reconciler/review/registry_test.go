package review

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/policy/metrics"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

// memoryRegistry has models by name and version or alias, unless answer says otherwise.
type memoryRegistry struct {
	models map[string]RegisteredModel
	answer func(context.Context, ModelRef) (RegisteredModel, error)
}

func (r memoryRegistry) Model(ctx context.Context, ref ModelRef) (RegisteredModel, error) {
	if r.answer != nil {
		return r.answer(ctx, ref)
	}
	m, ok := r.models[ref.String()]
	if !ok {
		return RegisteredModel{}, ErrNotRegistered
	}
	return m, nil
}

func ranker(version string, auc float64, tags map[string]string) RegisteredModel {
	return RegisteredModel{
		Name: "product-ranker", Version: version, Status: ModelReady, URI: "s3://registry/" + version,
		Tags: tags, Metrics: map[string]float64{"auc": auc},
	}
}

// bumped is a pull request from version 9 to 10 that asks for metrics.
func bumped(t *testing.T) (*source.Repository, Request) {
	t.Helper()
	repo, pr, base := pullRequestOf(t, "bump", nil, func(files map[string]string) {
		text := strings.Replace(files[rankerPath], `"9"`, `"10"`, 1)
		files[rankerPath] = strings.TrimRight(text, "\n") + "\n  checks:\n    metrics:\n      - {name: auc, min: 0.8, maxRegression: 0.01}\n"
	})
	return repo, Request{Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)}
}

func stageOf(r *Report, name policy.Stage) policy.StageResult {
	for _, s := range r.Stages {
		if s.Name == name {
			return s
		}
	}
	return policy.StageResult{}
}

func TestWhatTheRegistrySaysIsJudged(t *testing.T) {
	repo, req := bumped(t)
	plain, err := Evaluate(t.Context(), repo, req)
	if err != nil {
		t.Fatal(err)
	}
	models := func(now, live RegisteredModel) memoryRegistry {
		return memoryRegistry{models: map[string]RegisteredModel{"product-ranker version 10": now, "product-ranker version 9": live}}
	}
	answer := func(m RegisteredModel, err error) memoryRegistry {
		return memoryRegistry{answer: func(context.Context, ModelRef) (RegisteredModel, error) { return m, err }}
	}
	pending := ranker("10", 0.9, nil)
	pending.Status = ModelPending
	lying := ranker("10", 0.9, nil)
	lying.Name = "another"
	for _, tc := range []struct {
		name     string
		registry Registry
		// verdicts of validate, test and approval
		validate, test, approval policy.Verdict
		says                     string // somewhere in the report
		level                    schemas.RiskLevel
	}{
		{"a better version", models(ranker("10", 0.93, nil), ranker("9", 0.92, nil)), policy.Pass, policy.Pass, policy.Pending, "1 metric within bounds", plain.Changes[0].Risk.Level},
		{"a worse version", models(ranker("10", 0.90, nil), ranker("9", 0.92, nil)), policy.Pass, policy.Fail, policy.Pending, "from 0.92 live to 0.9 is more than", ""},
		{"below the minimum", models(ranker("10", 0.7, nil), ranker("9", 0.7, nil)), policy.Pass, policy.Fail, policy.Pending, "below the minimum of 0.8", ""},
		{"not a number", models(ranker("10", math.NaN(), nil), ranker("9", 0.7, nil)), policy.Pass, policy.Fail, policy.Pending, "NaN", ""},
		{"no live version in the registry", memoryRegistry{models: map[string]RegisteredModel{"product-ranker version 10": ranker("10", 0.9, nil)}},
			policy.Pass, policy.Pass, policy.Pending, "no value of the live version", ""},
		{"not registered", memoryRegistry{}, policy.Fail, policy.Pass, policy.Pending, CodeNotRegistered, ""},
		{"not ready", models(pending, ranker("9", 0.9, nil)), policy.Fail, policy.Pass, policy.Pending, CodeNotReady, ""},
		{"tags that raise the risk", models(ranker("10", 0.93, map[string]string{
			"mooring.dataSensitivity": "phi", "mooring.businessImpact": "critical", "mooring.regulations": "hipaa, gdpr",
		}), ranker("9", 0.92, nil)), policy.Fail, policy.Pass, policy.Pending, `"phi\" in the registry's tags of product-ranker version 10: the higher holds`, schemas.RiskHigh},
		{"tags of the version that is replaced", models(ranker("10", 0.93, nil), ranker("9", 0.92, map[string]string{
			"mooring.dataSensitivity": "phi", "mooring.businessImpact": "critical", "mooring.regulations": "hipaa",
		})), policy.Fail, policy.Pass, policy.Pending, "version 9: the higher holds", schemas.RiskHigh},
		{"tags that say less change nothing", models(ranker("10", 0.93, map[string]string{"mooring.businessImpact": "none"}), ranker("9", 0.92, nil)),
			policy.Pass, policy.Pass, policy.Pending, "the higher holds", plain.Changes[0].Risk.Level},
		{"a tag that no table knows", models(ranker("10", 0.93, map[string]string{"mooring.businessImpact": "huge"}), ranker("9", 0.92, nil)),
			policy.Fail, policy.Pass, policy.Pending, CodeRegistryFact, schemas.RiskHigh},
		{"a tag of a megabyte", models(ranker("10", 0.93, map[string]string{"mooring.regulations": strings.Repeat("gdpr,", 200_000)}), ranker("9", 0.92, nil)),
			policy.Fail, policy.Pass, policy.Pending, CodeRegistryFact, schemas.RiskHigh},
		{"a registry that is down", answer(RegisteredModel{}, errors.New("connection refused")), policy.Fail, policy.Error, policy.Error, "connection refused", schemas.RiskHigh},
		{"an answer about another model", answer(lying, nil), policy.Fail, policy.Error, policy.Error, "another model", schemas.RiskHigh},
		{"an answer about another version", answer(ranker("11", 1, nil), nil), policy.Fail, policy.Error, policy.Error, "another version", schemas.RiskHigh},
		{"an environment without a registry", answer(RegisteredModel{}, ErrNoRegistry), policy.Pass, policy.Pass, policy.Pending, "no registry is configured", plain.Changes[0].Risk.Level},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := req
			req.Registry = tc.registry
			report, err := Evaluate(t.Context(), repo, req)
			if err != nil {
				t.Fatal(err)
			}
			for stage, want := range map[policy.Stage]policy.Verdict{policy.StageValidate: tc.validate, policy.StageTest: tc.test, policy.StageApproval: tc.approval} {
				if got := stageOf(report, stage); got.Verdict != want {
					t.Errorf("%s: %s (%s), want %s", stage, got.Verdict, got.Reason, want)
				}
			}
			c := report.Changes[0]
			if tc.level != "" && c.Risk.Level != tc.level {
				t.Errorf("level %s: %v", c.Risk.Level, c.Risk.Reasons)
			}
			text, err := json.Marshal(report)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tc.says) {
				t.Errorf("%q is not said: %v, %v", tc.says, c.Findings, c.Risk.Reasons)
			}
			if comment := Comment(report); len(comment) > MaxComment || len(c.Metrics) > 0 && !strings.Contains(comment, "**Metrics** of version 10") {
				t.Errorf("the comment has %d bytes:\n%s", len(comment), comment[:min(len(comment), 3000)])
			}
		})
	}
	t.Run("without a registry nothing is said of one", func(t *testing.T) {
		if got := stageOf(plain, policy.StageTest); got.Verdict != policy.Pass || plain.Changes[0].Registered != nil || plain.Changes[0].Metrics != nil {
			t.Errorf("%+v %+v", got, plain.Changes[0])
		}
	})
	t.Run("a metric that passes does not change the digest", func(t *testing.T) {
		req := req
		req.Registry = models(ranker("10", 0.93, nil), ranker("9", 0.92, nil))
		report, err := Evaluate(t.Context(), repo, req)
		if err != nil || report.Changes[0].Digest != plain.Changes[0].Digest {
			t.Errorf("%s, without a registry %s: %v", report.Changes[0].Digest, plain.Changes[0].Digest, err)
		}
		if rows := report.Changes[0].Metrics; len(rows) != 1 || rows[0].Verdict != policy.Pass || *rows[0].Baseline != 0.92 {
			t.Errorf("%+v", rows)
		}
	})
}

func TestNoAnswerOfARegistryIsBelievedBlindly(t *testing.T) {
	byVersion, byAlias := ModelRef{Name: "a", Version: "1"}, ModelRef{Name: "a", Alias: "champion"}
	for _, tc := range []struct {
		ref   ModelRef
		model RegisteredModel
		ok    bool
	}{
		{byVersion, RegisteredModel{Name: "a", Version: "1"}, true},
		{byAlias, RegisteredModel{Name: "a", Version: "7"}, true},
		{byVersion, RegisteredModel{Name: "A", Version: "1"}, false},
		{byVersion, RegisteredModel{Name: "a", Version: "01"}, false},
		{byVersion, RegisteredModel{}, false},
		{byAlias, RegisteredModel{Name: "a", Version: "../../secrets"}, false},
		{byAlias, RegisteredModel{Name: "a", Version: "1\n2"}, false},
		{byAlias, RegisteredModel{Name: "a"}, false},
	} {
		if err := tc.model.contradicts(tc.ref); (err == nil) != tc.ok {
			t.Errorf("%+v for %s: %v", tc.model, tc.ref, err)
		}
	}
}

func TestARegistryThatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hanging := memoryRegistry{answer: func(_ context.Context, ref ModelRef) (RegisteredModel, error) {
			if ref.Name == "quick" {
				return RegisteredModel{Name: "quick", Version: ref.Version}, nil
			}
			<-release // whatever the context says
			return RegisteredModel{Name: ref.Name, Version: ref.Version}, nil
		}}
		quick, slow := ModelRef{Name: "quick", Version: "1"}, ModelRef{Name: "slow", Version: "1"}
		start := time.Now()
		answers := lookUp(t.Context(), hanging, map[ModelRef]bool{quick: true, slow: true})
		if took := time.Since(start); took != RegistryTimeout {
			t.Errorf("it took %s", took)
		}
		if answers[quick].err != nil || !errors.Is(answers[slow].err, errRegistryTimeout) {
			t.Errorf("%+v", answers)
		}
		close(release)
		synctest.Wait() // nobody is left behind
	})
}

func TestMetricsOfARegistryCannotBreakTheComment(t *testing.T) {
	c := &Change{Registered: &RegisteredModel{Version: "1"}, Metrics: []metrics.Row{{Name: "a|b @team <img>", Verdict: policy.Fail, Reason: "x | y\n# z"}}}
	var b strings.Builder
	writeMetrics(&b, c)
	for _, bad := range []string{"<img>", "@team", "\n# z"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q gets through:\n%s", bad, b.String())
		}
	}
}
