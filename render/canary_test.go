package render

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/schemas"
)

// named finds an object by kind and name.
func named(t *testing.T, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

// identities lists objects as "Kind name".
func identities(objects []*unstructured.Unstructured) []string {
	var out []string
	for _, o := range objects {
		out = append(out, o.GetKind()+" "+o.GetName())
	}
	return out
}

func TestACanaryLeavesTheStableVersionAsItWas(t *testing.T) {
	in := canary(churn(), 10)
	stable := mustModel(t, *in.Canary.Stable)
	both := mustModel(t, in)
	for _, o := range stable {
		if o.GetKind() != routeKind {
			if got := named(t, both, o.GetKind(), o.GetName()); Hash([]*unstructured.Unstructured{got}) != Hash([]*unstructured.Unstructured{o}) {
				t.Errorf("%s %s changes when the canary comes", o.GetKind(), o.GetName())
			}
		}
	}
	service := named(t, both, kserveKind, "churn-predictor-canary")
	if uri := field(t, service, "spec", "predictor", "model", "storageUri"); uri != "s3://mlops-models/churn-predictor/v2" {
		t.Errorf("the canary serves %v", uri)
	}
	if low, high := field(t, service, "spec", "predictor", "minReplicas"), field(t, service, "spec", "predictor", "maxReplicas"); low != int64(1) || high != int64(1) {
		t.Errorf("a canary of 10 %% of 2 to 10 replicas has %v to %v", low, high)
	}
	if last := both[len(both)-1]; last.GetKind() != routeKind {
		t.Errorf("the traffic moves before %s is there", last.GetKind())
	}
}

func TestWeightsAddUpAndFollowTheStep(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		percent := rapid.Int32Range(1, 99).Draw(r, "percent")
		in := canary(churn(), percent)
		low := rapid.Int32Range(1, 20).Draw(r, "low")
		in.Deployment.Spec.Serving.Replicas = replicas(low, rapid.Int32Range(low, 40).Draw(r, "high"))
		objects := mustModel(t, in)
		refs := backends(t, objects)
		if refs["churn-predictor-predictor"]+refs["churn-predictor-canary-predictor"] != 100 || refs["churn-predictor-canary-predictor"] != int64(percent) {
			r.Fatalf("at %d %% the weights are %v", percent, refs)
		}
		got := named(t, objects, kserveKind, "churn-predictor-canary")
		if n := field(t, got, "spec", "predictor", "minReplicas").(int64); n < 1 || n*100 < int64(low*percent) || (n-1)*100 >= int64(low*percent) && n > 1 {
			r.Fatalf("%d of %d replicas for %d %%", n, low, percent)
		}
	})
}

func backends(t *testing.T, objects []*unstructured.Unstructured) map[string]int64 {
	t.Helper()
	return backendsOf(t, objects, "PathPrefix", "/")
}

// backendsOf are the weights of what the requests for a path are sent to; nil: no
// rule of the route is about it.
func backendsOf(t *testing.T, objects []*unstructured.Unstructured, match, path string) map[string]int64 {
	t.Helper()
	for _, item := range field(t, named(t, objects, routeKind, "churn-predictor.traffic"), "spec", "rules").([]any) {
		rule := item.(map[string]any)
		about := rule["matches"].([]any)[0].(map[string]any)["path"]
		if !maps.Equal(about.(map[string]any), map[string]any{"type": match, "value": path}) {
			continue
		}
		out := map[string]int64{}
		for _, ref := range rule["backendRefs"].([]any) {
			b := ref.(map[string]any)
			out[b["name"].(string)] = b["weight"].(int64)
		}
		return out
	}
	return nil
}

// Explanations go to the explainer by the model's host name, as by KServe's own
// route; in a rollout to the versions that have one.
func TestExplanationsAreAskedOfTheExplainer(t *testing.T) {
	const stable, second = "churn-predictor-explainer", "churn-predictor-canary-explainer"
	for name, c := range map[string]struct {
		before, after bool
		want          map[string]int64
	}{
		"of both versions by their shares":       {true, true, map[string]int64{stable: 90, second: 10}},
		"of the new one alone, if it brings one": {false, true, map[string]int64{second: 10}},
		"of the old one alone, if it goes":       {true, false, map[string]int64{stable: 90}},
		"of none where there is none":            {false, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			version := func(explains bool) ModelInput {
				in := churn()
				if explains {
					in = withComponents(in)
				}
				return in
			}
			in, before := canary(version(c.after), 10), canary(version(c.before), 10)
			in.Canary.Stable = before.Canary.Stable
			if got := backendsOf(t, mustModel(t, in), "Exact", "/v1/models/churn-predictor:explain"); !maps.Equal(got, c.want) {
				t.Errorf("explanations are asked of %v, want %v", got, c.want)
			}
		})
	}
	alone := *canary(withComponents(churn()), 10).Canary.Stable
	if got := backendsOf(t, mustModel(t, alone), "Exact", "/v1/models/churn-predictor:explain"); !maps.Equal(got, map[string]int64{stable: 100}) {
		t.Errorf("outside of a rollout explanations are asked of %v", got)
	}
}

func TestACanaryAnswersToTheModelsName(t *testing.T) {
	for _, c := range []struct {
		format   schemas.ModelFormat
		protocol schemas.Protocol
		runtime  string
		arg, env bool
	}{
		{schemas.FormatSKLearn, "", "kserve-mlserver", false, true},
		{schemas.FormatSKLearn, schemas.ProtocolV1, "kserve-sklearnserver", true, false},
		{schemas.FormatTensorFlow, "", schemas.RuntimeTensorFlow, true, false},
		{schemas.FormatHuggingFace, "", "kserve-huggingfaceserver", true, false},
		{schemas.FormatONNX, "", schemas.RuntimeTriton, false, false},
	} {
		in := churn()
		in.Deployment.Spec.Model.Format, in.Deployment.Spec.Serving.Protocol = c.format, c.protocol
		objects := mustModel(t, canary(in, 50))
		for service, told := range map[string]bool{"churn-predictor": false, "churn-predictor-canary": true} {
			model := field(t, named(t, objects, kserveKind, service), "spec", "predictor", "model").(map[string]any)
			if model["runtime"] != c.runtime {
				t.Errorf("%s: %s is served by %v", c.format, service, model["runtime"])
			}
			args, _ := model["args"].([]any)
			if got := slices.Contains(args, any("--model_name=churn-predictor")); got != (told && c.arg) {
				t.Errorf("%s: %s is told its name by argument: %t", c.format, service, got)
			}
			env, _ := model["env"].([]any)
			if got := len(env) == 1; got != (told && c.env) {
				t.Errorf("%s: %s has the environment %v", c.format, service, env)
			}
		}
	}
	objects := mustModel(t, canary(withComponents(churn()), 50))
	for _, component := range []string{componentTransformer, componentExplainer} {
		containers := field(t, named(t, objects, kserveKind, "churn-predictor-canary"), "spec", component, "containers").([]any)
		if args, _ := containers[0].(map[string]any)["args"].([]any); !slices.Contains(args, any("--model_name")) {
			t.Errorf("the canary's %s is not told the model's name: %v", component, args)
		}
	}
	if refs := backends(t, objects); refs["churn-predictor-transformer"] != 50 || refs["churn-predictor-canary-transformer"] != 50 {
		t.Errorf("with a transformer the traffic goes to %v", refs)
	}
}

func TestOutsideOfARolloutAllTrafficGoesToTheModel(t *testing.T) {
	in := canary(churn(), 10)
	if refs := backends(t, mustModel(t, *in.Canary.Stable)); len(refs) != 1 || refs["churn-predictor-predictor"] != 100 {
		t.Errorf("got %v", refs)
	}
	grpc := *in.Canary.Stable
	d := *grpc.Deployment
	d.Spec.Model.Format, d.Spec.Serving.Protocol, d.Spec.Rollout.Canary = schemas.FormatTriton, schemas.ProtocolGRPCV2, nil
	grpc.Deployment = &d
	if got := identities(mustModel(t, grpc)); slices.Contains(got, "HTTPRoute churn-predictor.traffic") {
		t.Errorf("a route of HTTP for gRPC: %v", got)
	}
}

func TestKnativeGivesEveryComponentItsShare(t *testing.T) {
	in := churn()
	in.Environment.Spec.KServe.Mode = schemas.ModeKnative
	service := find(t, mustModel(t, canary(withComponents(in), 25)), kserveKind)
	for _, component := range []string{componentPredictor, componentTransformer, componentExplainer} {
		if got := field(t, service, "spec", component, "canaryTrafficPercent"); got != int64(25) {
			t.Errorf("%s has %v %%", component, got)
		}
	}
	alone := churn()
	alone.Environment.Spec.KServe.Mode = schemas.ModeKnative
	if got := field(t, find(t, mustModel(t, alone), kserveKind), "spec", "predictor", "canaryTrafficPercent"); got != nil {
		t.Errorf("outside of a rollout it is %v", got)
	}
}

func TestACanaryThatCannotBeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*ModelInput)
		want string
	}{
		"of nothing":               {func(in *ModelInput) { in.Canary.Percent = 0 }, "no canary"},
		"of everything":            {func(in *ModelInput) { in.Canary.Percent = 100 }, "no canary"},
		"without a stable version": {func(in *ModelInput) { in.Canary.Stable = nil }, "needs the stable version"},
		"of a canary":              {func(in *ModelInput) { in.Canary.Stable.Canary = in.Canary }, "needs the stable version"},
		"of another model": {func(in *ModelInput) {
			d := *in.Canary.Stable.Deployment
			d.Metadata.Name = "other"
			in.Canary.Stable.Deployment = &d
		}, "another model"},
		"with nothing that splits": {func(in *ModelInput) { in.Environment.Spec.Gateway = nil }, "nothing splits"},
	} {
		t.Run(name, func(t *testing.T) {
			in := canary(churn(), 10)
			c.edit(&in)
			if _, err := Model(in); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
