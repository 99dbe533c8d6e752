package desired_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	churn      = "models/data-science/churn-predictor/production/deployment.yaml"
	production = "environments/production.yaml"
	science    = "teams/data-science.yaml"
)

func example(t *testing.T) []schemas.File {
	t.Helper()
	files, err := worktree.Read("../../example-repo")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func explain(t *testing.T, files []schemas.File, s desired.Selection) []desired.Explained {
	t.Helper()
	sets, findings, err := desired.All(t.Context(), "local", files, s)
	if err != nil || findings.Failed() {
		t.Fatal(err, findings)
	}
	explained, findings := desired.Explain("local", files, sets)
	if findings.Failed() {
		t.Fatal(findings)
	}
	return explained
}

// values calls each with every single value of an object.
func values(v any, path string, each func(path string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			values(value, strings.TrimPrefix(path+"."+key, "."), each)
		}
	case []any:
		for i, value := range v {
			values(value, fmt.Sprintf("%s[%d]", path, i), each)
		}
	default:
		each(path, v)
	}
}

// The author of the manifest edits the named line, and the value changes.
func TestTheLineThatIsNamedDecidesTheValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, field, file, origin, was, becomes string }{
		{"InferenceService", "spec.predictor.maxReplicas", churn, "spec.serving.replicas.max", "max: 10", "max: 12"},
		{"InferenceService", "spec.predictor.model.resources.limits.memory", churn, "spec.serving.resources.limits.memory", "8Gi", "9Gi"},
		{"InferenceService", "spec.predictor.model.storageUri", churn, "spec.model.version", `"2"`, `"3"`},
		{"InferenceService", "spec.predictor.model.protocolVersion", churn, "spec.model.format", "mlflow", "tensorflow"},
		{"InferenceService", "spec.predictor.tolerations[0].key", production, "spec.pools[0].spot.taints[0].key", "spot-instance", "spot-node"},
		{"InferenceService", "spec.predictor.terminationGracePeriodSeconds", churn, "spec.serving.capacity", "spot", "on-demand"},
		{"InferenceService", "metadata.namespace", production, "spec.namespace", "{team}-{environment}", "ml-{team}-{environment}"},
		{"ServiceAccount", "metadata.labels.mlops-platform.com/cost-center", science, "spec.costCenter", "CC-1001", "CC-1002"},
	} {
		t.Run(c.kind+" "+c.field, func(t *testing.T) {
			t.Parallel()
			selection := desired.Selection{Environment: "production", Model: "churn-predictor"}
			files := example(t)
			before := only(t, explain(t, files, selection), c.kind)
			at := slices.IndexFunc(before.Fields[c.field], func(o desired.Origin) bool { return o.File == c.file && o.Field == c.origin })
			if at < 0 {
				t.Fatalf("%s %s comes from %+v", c.kind, c.field, before.Fields[c.field])
			}
			i := slices.IndexFunc(files, func(f schemas.File) bool { return f.Path == c.file })
			lines := bytes.Split(bytes.Clone(files[i].Content), []byte("\n"))
			line := &lines[before.Fields[c.field][at].Line-1]
			if !bytes.Contains(*line, []byte(c.was)) {
				t.Fatalf("the line that is named is %q", *line)
			}
			*line = bytes.Replace(*line, []byte(c.was), []byte(c.becomes), 1)
			files[i].Content = bytes.Join(lines, []byte("\n"))
			after := only(t, explain(t, files, selection), c.kind)
			if was, is := valueAt(before.Object, c.field), valueAt(after.Object, c.field); was == is {
				t.Errorf("it is still %v", is)
			}
		})
	}
}

func only(t *testing.T, all []desired.Explained, kind string) desired.Explained {
	t.Helper()
	for _, x := range all {
		if x.Object.GetKind() == kind {
			return x
		}
	}
	t.Fatalf("no %s is rendered", kind)
	return desired.Explained{}
}

func valueAt(o *unstructured.Unstructured, path string) (out any) {
	values(o.Object, "", func(at string, v any) {
		if at == path {
			out = v
		}
	})
	return out
}

// mooringsOwn are the values that no file decides.
var mooringsOwn = []*regexp.Regexp{
	regexp.MustCompile(`^\w+ (apiVersion|kind|automountServiceAccountToken|metadata\.labels\.app\.kubernetes\.io/managed-by)$`),
	regexp.MustCompile(`^Namespace metadata\.labels\.pod-security\.kubernetes\.io/`),
	regexp.MustCompile(`^LimitRange spec\.`),
	regexp.MustCompile(`^PodDisruptionBudget spec\.(maxUnavailable|selector\.matchLabels\.component)$`),
	regexp.MustCompile(`^NetworkPolicy (metadata\.name|spec\..*)$`),
	regexp.MustCompile(`^(RoleBinding|Role) `),
	regexp.MustCompile(`^InferenceService spec\.\w+\.(automountServiceAccountToken|securityContext\..*)$`),
	regexp.MustCompile(`^InferenceService spec\.\w+\.(model|containers\[0\])\.securityContext\.`),
	regexp.MustCompile(`^InferenceService spec\.\w+\.containers\[0\]\.name$`),
	regexp.MustCompile(`^InferenceService spec\.\w+\.affinity\.podAntiAffinity\..*\.(weight|topologyKey|component)$`),
	regexp.MustCompile(`^InferenceService spec\.\w+\.topologySpreadConstraints\[\d\]\.(maxSkew|topologyKey|whenUnsatisfiable|labelSelector\.matchLabels\.component)$`),
}

// Every value of the example repository is explained, or is known to be
// Mooring's own.
func TestEveryValueOfTheExampleIsExplained(t *testing.T) {
	t.Parallel()
	explained, seen := explain(t, example(t), desired.Selection{}), map[string]bool{}
	for _, x := range explained {
		values(x.Object.Object, "", func(path string, value any) {
			name := x.Object.GetKind() + " " + path
			own := slices.ContainsFunc(mooringsOwn, func(r *regexp.Regexp) bool { return r.MatchString(name) })
			if len(x.Fields[path]) == 0 && len(x.Exists) == 0 && !own {
				t.Errorf("%s of %s: nothing explains %s = %v", x.Object.GetName(), x.Object.GetNamespace(), name, value)
			}
			for _, o := range x.Fields[path] {
				seen[o.File] = true
			}
		})
	}
	for _, file := range []string{churn, production, science} {
		if !seen[file] {
			t.Errorf("nothing comes from %s", file)
		}
	}
}

// What has to be written for an object to be there is named, beside what must have
// a certain value.
func TestAnObjectExistsBecauseOfWhatIsWritten(t *testing.T) {
	t.Parallel()
	files := example(t)
	i := slices.IndexFunc(files, func(f schemas.File) bool { return f.Path == production })
	files[i].Content = bytes.Replace(files[i].Content, []byte("  drift:"), []byte("  gateway: {name: models, namespace: gateway-system, hostname: \"{model}.{team}.models.example.com\"}\n  drift:"), 1)
	route := only(t, explain(t, files, desired.Selection{Environment: "production", Model: "churn-predictor"}), "HTTPRoute")
	for _, field := range []string{"spec.gateway", "spec.kserve.mode"} {
		if !slices.ContainsFunc(route.Exists, func(o desired.Origin) bool { return o.File == production && o.Field == field }) {
			t.Errorf("the route does not exist by %s: %+v", field, route.Exists)
		}
	}
}

func TestDecisionsCarryTheirReasons(t *testing.T) {
	t.Parallel()
	all := explain(t, example(t), desired.Selection{Environment: "production", Model: "churn-predictor"})
	service := only(t, all, "InferenceService")
	for field, want := range map[string]string{
		"metadata.labels.mlops-platform.com/risk":                "risk high: ",
		"metadata.labels.example.com/tier":                       "overlays/production/kustomization.yaml",
		"spec.predictor.tolerations[0].key":                      "pool compute for the predictor: ",
		"metadata.annotations.serving.kserve.io/autoscalerClass": "",
		"spec.predictor.topologySpreadConstraints[0].maxSkew":    "",
		"metadata.labels.mlops-platform.com/repository":          "",
		"spec.predictor.model.resources.requests.cpu":            "",
	} {
		var reasons []string
		for _, o := range service.Fields[field] {
			reasons = append(reasons, o.Reason)
		}
		if got := strings.Join(reasons, " "); !strings.Contains(got, want) || want == "" && strings.TrimSpace(got) != "" {
			t.Errorf("%s: reasons %q, want %q", field, got, want)
		}
	}
	if budget := only(t, all, "PodDisruptionBudget"); len(budget.Exists) == 0 || budget.Exists[0].Field != "spec.serving.replicas.min" {
		t.Errorf("the disruption budget exists by %+v", budget.Exists)
	}
}
