package render

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/mlops-platform/mooring/schemas"
)

func TestInputThatNoManifestYieldsIsRefused(t *testing.T) {
	serving := func(in *ModelInput) *schemas.Serving { return &in.Deployment.Spec.Serving }
	for name, c := range map[string]struct {
		edit func(*ModelInput)
		want string
	}{
		"no placement":               {func(in *ModelInput) { in.Predictor = nil }, "predictor has no placement"},
		"a transformer unplaced":     {func(in *ModelInput) { serving(in).Transformer = &schemas.Component{} }, "transformer and its placement"},
		"an explainer from nowhere":  {func(in *ModelInput) { in.Explainer = in.Predictor }, "explainer and its placement"},
		"an alias left unresolved":   {func(in *ModelInput) { in.Version = "" }, "version is not resolved"},
		"no artefact":                {func(in *ModelInput) { in.StorageURI = "" }, "URI is not resolved"},
		"no team":                    {func(in *ModelInput) { in.Team = nil }, "all needed"},
		"an unknown KServe":          {func(in *ModelInput) { in.Environment.Spec.KServe.Version = "latest" }, `"latest" is not`},
		"a format KServe lacks":      {func(in *ModelInput) { in.Deployment.Spec.Model.Format = "catboost" }, "no serving runtime"},
		"custom without a container": {func(in *ModelInput) { in.Deployment.Spec.Model.Format = schemas.FormatCustom }, "needs spec.serving.container"},
		"a runtime that is root":     {func(in *ModelInput) { serving(in).Runtime = "kserve-vllmserver" }, "runs as root"},
		"a GPU on a CPU pool":        {func(in *ModelInput) { serving(in).Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1} }, "no accelerator"},
		"no replicas at all":         {func(in *ModelInput) { serving(in).Replicas = replicas(0, 0) }, "no range"},
		"replicas upside down":       {func(in *ModelInput) { serving(in).Replicas = replicas(3, 2) }, "no range"},
		"no requests":                {func(in *ModelInput) { serving(in).Resources.Requests.CPU = nil }, "requests of cpu and memory"},
		"vLLM before it came": {func(in *ModelInput) {
			in.Deployment.Spec.Model.Format, in.Environment.Spec.KServe.Version = schemas.FormatVLLM, "0.11"
		}, "needs KServe 0.13"},
	} {
		t.Run(name, func(t *testing.T) {
			in := churn()
			c.edit(&in)
			out, err := Model(in)
			if err == nil || !strings.Contains(err.Error(), c.want) || out != nil {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTheModeAndTheAutoscalerAreCalledAsTheReleaseCallsThem(t *testing.T) {
	for _, c := range []struct {
		version         string
		mode            schemas.KServeMode
		low, high       int32
		wantMode, class string
	}{
		{"0.11", schemas.ModeStandard, 1, 3, "RawDeployment", "hpa"},
		{"0.11", schemas.ModeStandard, 2, 2, "RawDeployment", "hpa"},
		{"0.11", schemas.ModeKnative, 0, 3, "Serverless", ""},
		{"0.15", schemas.ModeStandard, 2, 2, "RawDeployment", "none"},
		{"0.16", schemas.ModeStandard, 2, 2, "Standard", "none"},
		{"0.20.1", schemas.ModeStandard, 1, 3, "Standard", "hpa"},
		{"0.20", schemas.ModeKnative, 1, 1, "Knative", ""},
		{"1.0", schemas.ModeStandard, 1, 1, "Standard", "none"},
	} {
		in := churn()
		in.Environment.Spec.KServe = schemas.KServe{Version: c.version, Mode: c.mode}
		in.Deployment.Spec.Serving.Replicas = replicas(c.low, c.high)
		got := find(t, mustModel(t, in), kserveKind).GetAnnotations()
		if got[annotationDeploymentMode] != c.wantMode || got[annotationAutoscalerClass] != c.class {
			t.Errorf("%s %s %d–%d: got %v, want %s and %q", c.version, c.mode, c.low, c.high, got, c.wantMode, c.class)
		}
	}
}

func TestReplicasWithSeveralGPUsRollOutWithinThoseTheyHave(t *testing.T) {
	for _, c := range []struct {
		low  int32
		gpu  bool
		want bool
	}{{1, true, false}, {2, true, true}, {2, false, false}} {
		in := churn()
		in.Deployment.Spec.Serving.Replicas = replicas(c.low, 4)
		if c.gpu {
			in.Predictor = &Placement{Pool: gpuPool}
			in.Deployment.Spec.Serving.Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1}
		}
		surge := field(t, find(t, mustModel(t, in), kserveKind), "spec", "predictor", "deploymentStrategy", "rollingUpdate", "maxSurge")
		if (surge == int64(0)) != c.want {
			t.Errorf("%+v: maxSurge is %v", c, surge)
		}
	}
}

// lands reports whether the scheduler may put a component on a node, by its
// required affinity and its tolerations.
func lands(p Placement, labels map[string]string, taints []schemas.Taint) bool {
	if a := nodeAffinity(p); a != nil && a.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, r := range a.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions {
			value, ok := labels[r.Key]
			if in := ok && slices.Contains(r.Values, value); in != (r.Operator == corev1.NodeSelectorOpIn) {
				return false
			}
		}
	}
	for _, taint := range taints {
		if taint.Effect != schemas.PreferNoSchedule && !slices.ContainsFunc(tolerations(p), func(t corev1.Toleration) bool {
			return t.Key == taint.Key && string(t.Effect) == string(taint.Effect) &&
				(t.Operator == corev1.TolerationOpExists || t.Value == taint.Value)
		}) {
			return false
		}
	}
	return true
}

// Pods of which there may be two prefer a node each, and look at no others.
func TestReplicasPreferNodesOfTheirOwn(t *testing.T) {
	for _, mode := range []schemas.KServeMode{schemas.ModeStandard, schemas.ModeKnative} {
		for high, want := range map[int32]bool{1: false, 2: true} {
			in := churn()
			in.Environment.Spec.KServe.Mode = mode
			in.Deployment.Spec.Serving.Replicas = replicas(1, high)
			in.Deployment.Spec.Serving.Autoscaling = nil
			terms, got, err := unstructured.NestedSlice(find(t, mustModel(t, in), kserveKind).Object,
				"spec", "predictor", "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution")
			if err != nil || got != want {
				t.Fatalf("%s, up to %d replicas: %t, want %t (%v)", mode, high, got, want, err)
			}
			if !want {
				continue
			}
			selected, _, _ := unstructured.NestedStringMap(terms[0].(map[string]any), "podAffinityTerm", "labelSelector", "matchLabels")
			if len(terms) != 1 || !maps.Equal(selected, podLabels(in.Deployment.Metadata.Name, componentPredictor)) {
				t.Errorf("%s: %v", mode, terms)
			}
		}
	}
}

func TestReplicasLandOnTheNodesOfTheirPoolAndCapacity(t *testing.T) {
	type node struct {
		labels map[string]string
		taints []schemas.Taint
	}
	nodes := map[string]node{
		"compute":               {map[string]string{"workload-type": "compute"}, nil},
		"compute-spot":          {map[string]string{"workload-type": "compute", "capacity": "SPOT"}, spotTaints},
		"compute-spot-no-taint": {map[string]string{"workload-type": "compute", "capacity": "SPOT"}, nil},
		"gpu":                   {map[string]string{"workload-type": "gpu"}, gpuTaints},
		"gpu-spot":              {map[string]string{"workload-type": "gpu", "capacity": "SPOT"}, slices.Concat(gpuTaints, spotTaints)},
		"phi":                   {map[string]string{"workload-type": "phi"}, phiPool.Taints},
		"system":                {map[string]string{"workload-type": "system"}, nil},
	}
	onDemand, spot := schemas.CapacityOnDemand, schemas.CapacitySpot
	for _, c := range []struct {
		placement Placement
		want      []string
	}{
		{Placement{computePool, onDemand}, []string{"compute"}},
		{Placement{computePool, spot}, []string{"compute", "compute-spot", "compute-spot-no-taint"}},
		{Placement{gpuPool, onDemand}, []string{"gpu"}},
		{Placement{gpuPool, spot}, []string{"gpu", "gpu-spot"}},
		{Placement{phiPool, onDemand}, []string{"phi"}},
		{Placement{phiPool, spot}, []string{"phi"}},
	} {
		var got []string
		for name, n := range nodes {
			if lands(c.placement, n.labels, n.taints) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s lands on %v, want %v", c.placement.Pool.Name, c.placement.Capacity, got, c.want)
		}
	}
	whole := pool("all-spot", func(p *schemas.Pool) {
		p.Labels["capacity"] = "SPOT"
		p.Spot = &schemas.SpotNodes{Labels: map[string]string{"capacity": "SPOT"}}
	})
	if !lands(Placement{whole, onDemand}, whole.Labels, nil) {
		t.Error("a label that the whole pool carries rules the pool out")
	}
}

func TestAnArtefactLiesWhereTheManifestTheEnvironmentOrThePlatformSays(t *testing.T) {
	env := environment()
	m := schemas.Model{Name: "churn-predictor"}
	if got := StorageURI(env, schemas.ModelDeploymentSpec{Model: m}, "2"); got != "s3://mlops-models/churn-predictor/v2" {
		t.Errorf("the platform's: %s", got)
	}
	env.Spec.Artifacts = "gs://{name}/{version}/{name}"
	if got := StorageURI(env, schemas.ModelDeploymentSpec{Model: m}, "{name}"); got != "gs://churn-predictor/{name}/churn-predictor" {
		t.Errorf("the environment's: %s", got)
	}
	m.URI = "pvc://claim/{version}"
	if got := StorageURI(env, schemas.ModelDeploymentSpec{Model: m}, "2"); got != m.URI {
		t.Errorf("the manifest's: %s", got)
	}
}

func TestLabelValuesAreValidAndTellTextsApart(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z/. -]{0,80}`), rapid.StringMatching(`[A-Za-z0-9._-]{60,70}`))
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if wrong := validation.IsValidLabelValue(labelValue(a)); len(wrong) > 0 {
			t.Fatalf("%q becomes %q: %v", a, labelValue(a), wrong)
		}
		if len(validation.IsValidLabelValue(a)) == 0 && labelValue(a) != a {
			t.Fatalf("%q is valid and becomes %q", a, labelValue(a))
		}
		if a != b && labelValue(a) == labelValue(b) {
			t.Fatalf("%q and %q both become %q", a, b, labelValue(a))
		}
	})
}

// drawModel makes up a manifest within the rules, and where it is placed.
func drawModel(t *rapid.T) ModelInput {
	in := churn()
	s := &in.Deployment.Spec.Serving
	in.Deployment.Spec.Model.Format = rapid.SampledFrom(schemas.ModelFormats).Draw(t, "format")
	if in.Deployment.Spec.Model.Format == schemas.FormatCustom {
		s.Container = &schemas.Container{Image: "i"}
	}
	low := rapid.Int32Range(1, 5).Draw(t, "low")
	s.Replicas = replicas(low, rapid.Int32Range(low, 9).Draw(t, "high"))
	in.Environment.Spec.KServe.Version = rapid.SampledFrom([]string{"0.13", "0.16", "0.20"}).Draw(t, "version")
	in.Environment.Spec.KServe.Mode = rapid.SampledFrom([]schemas.KServeMode{schemas.ModeStandard, schemas.ModeKnative}).Draw(t, "mode")
	labels := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,3}`), rapid.StringMatching(`[a-z]{1,3}`), 0, 6)
	in.Predictor = &Placement{
		Pool: pool("p", func(p *schemas.Pool) {
			p.Labels = labels.Draw(t, "labels")
			p.Spot = &schemas.SpotNodes{Labels: labels.Draw(t, "spot labels"), Taints: spotTaints}
			p.Accelerator = gpuPool.Accelerator
		}),
		Capacity: rapid.SampledFrom([]schemas.Capacity{schemas.CapacitySpot, schemas.CapacityOnDemand}).Draw(t, "capacity"),
	}
	if rapid.Bool().Draw(t, "gpu") {
		s.Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1}
	}
	if rapid.Bool().Draw(t, "beside") {
		return withComponents(in)
	}
	return in
}

// reinsert makes an equal map of another history, whose iteration order differs.
func reinsert(t *rapid.T, m map[string]string) map[string]string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := map[string]string{}
	for _, key := range rapid.Permutation(keys).Draw(t, "order") {
		out[key] = m[key]
	}
	return out
}

func TestTheSameInputRendersToTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawModel(t)
		first, err := Model(in)
		if err != nil {
			t.Fatal(err)
		}
		again := in
		placement := *in.Predictor
		placement.Pool.Labels = reinsert(t, placement.Pool.Labels)
		placement.Pool.Spot = &schemas.SpotNodes{Labels: reinsert(t, placement.Pool.Spot.Labels), Taints: spotTaints}
		again.Predictor = &placement
		second, err := Model(again)
		if err != nil {
			t.Fatal(err)
		}
		a, errA := YAML(first)
		b, errB := YAML(second)
		if errA != nil || errB != nil || string(a) != string(b) || Hash(first) != Hash(second) {
			t.Fatalf("two renderings differ:\n%s\n---\n%s", a, b)
		}
		checkObjects(t, in, first)
	})
}

// checkObjects holds what is true of every model's objects.
func checkObjects(t *rapid.T, in ModelInput, objects []*unstructured.Unstructured) {
	for _, u := range objects {
		for _, key := range []string{
			schemas.LabelManagedBy, schemas.LabelRepository, schemas.LabelTeam, schemas.LabelEnvironment,
			schemas.LabelModel, schemas.LabelVersion, schemas.LabelRisk, schemas.LabelCostCenter,
		} {
			if u.GetLabels()[key] == "" {
				t.Fatalf("%s lacks %s", identity(u), key)
			}
		}
		if u.GetNamespace() != "data-science-production" || u.Object["status"] != nil {
			t.Fatalf("%s is in %q", identity(u), u.GetNamespace())
		}
		// Panics on a type that no unstructured object may hold.
		runtime.DeepCopyJSON(u.Object)
	}
	if last := objects[len(objects)-1]; last.GetKind() != kserveKind || objects[0].GetKind() != "ServiceAccount" {
		t.Fatalf("objects come in the order %s … %s", objects[0].GetKind(), last.GetKind())
	}
	required := "NotIn"
	if data, _ := YAML(objects); in.Explainer == nil && in.Predictor.Capacity == schemas.CapacitySpot && strings.Contains(string(data), required) {
		t.Fatalf("spot capacity rules nodes out:\n%s", data)
	}
}

func TestAHashTellsObjectsAndTheirOrderApart(t *testing.T) {
	a, b := mustModel(t, churn()), mustModel(t, churn())
	slices.Reverse(b)
	changed := churn()
	changed.Version = "3"
	hashes := []string{Hash(a), Hash(b), Hash(mustModel(t, changed)), Hash(nil)}
	slices.Sort(hashes)
	if len(slices.Compact(hashes)) != 4 || !strings.HasPrefix(hashes[0], "sha256:") {
		t.Errorf("got %v", hashes)
	}
}

func TestAQuotaBoundsEachAcceleratorOfTheEnvironment(t *testing.T) {
	env := environment()
	env.Spec.Pools = append(env.Spec.Pools, pool("mig", func(p *schemas.Pool) {
		p.Accelerator = &schemas.PoolAccelerator{Name: "mig-small", Resource: "nvidia.com/mig-1g.5gb", PerNode: 7}
	}))
	tm := team()
	tm.Spec.Quotas = map[string]schemas.Quota{"production": {CPU: *quantity("10"), Memory: *quantity("20Gi"), GPU: 0}}
	out, err := Tenancy(TenancyInput{Repository: "r", Team: tm, Environment: env})
	if err != nil {
		t.Fatal(err)
	}
	hard := field(t, find(t, out, "ResourceQuota"), "spec", "hard").(map[string]any)
	want := map[string]string{
		"requests.cpu": "10", "requests.memory": "20Gi", "requests.nvidia.com/gpu": "0", "requests.nvidia.com/mig-1g.5gb": "0",
	}
	for key, value := range want {
		if hard[key] != value {
			t.Errorf("%s is %v, want %s", key, hard[key], value)
		}
	}
	if len(hard) != len(want) {
		t.Errorf("got %v", hard)
	}
}

func TestInputIsSharedByManyRenderingsAtOnce(t *testing.T) {
	in := churn()
	tenancy := TenancyInput{Repository: "acme/models", Team: in.Team, Environment: in.Environment}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				model, err := Model(in)
				if err != nil {
					t.Error(err)
				}
				Hash(model)
				if _, err := Tenancy(tenancy); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestObjectsOfKubernetesHoldNoFieldThatItLacks(t *testing.T) {
	types := map[string]func() any{
		"Namespace":           func() any { return &corev1.Namespace{} },
		"ResourceQuota":       func() any { return &corev1.ResourceQuota{} },
		"LimitRange":          func() any { return &corev1.LimitRange{} },
		"ServiceAccount":      func() any { return &corev1.ServiceAccount{} },
		"PodDisruptionBudget": func() any { return &policyv1.PodDisruptionBudget{} },
	}
	seen := map[string]bool{}
	for _, u := range slices.Concat(mustTenancy(t), mustModel(t, churn())) {
		into, ok := types[u.GetKind()]
		if !ok {
			continue
		}
		seen[u.GetKind()] = true
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, into(), true); err != nil {
			t.Errorf("%s: %v", identity(u), err)
		}
	}
	if len(seen) != len(types) {
		t.Errorf("only %v were rendered", seen)
	}
}
