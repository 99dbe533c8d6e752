package podsecurity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestWhatMooringRendersIsRestricted holds every golden file of the renderer
// against the standard.
func TestWhatMooringRendersIsRestricted(t *testing.T) {
	files, err := filepath.Glob("../../render/testdata/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(err, files)
	}
	pods := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split(string(content), "\n---\n") {
			o := object(t, text)
			if o.GetKind() != "Namespace" {
				pods += len(podsOf(o))
			}
			violations, err := Check([]*unstructured.Unstructured{o})
			if err != nil || len(violations) > 0 {
				t.Errorf("%s: %v %v", file, err, violations)
			}
		}
	}
	if pods < 5 {
		t.Errorf("only %d pod specifications were found", pods)
	}
}

// restricted is a pod specification that is, indented by as much as a template's.
const restricted = `
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: a
        image: a
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

func TestCheck(t *testing.T) {
	deployment := func(spec string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    metadata: {labels: {a: b}}\n    spec:" + spec
	}
	service := func(spec string) string {
		return "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: x}\nspec:\n  " + spec
	}
	const model = `predictor: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, model: {modelFormat: {name: onnx}, securityContext: {`
	for name, tc := range map[string]struct{ object, want string }{
		"a restricted workload passes":        {deployment(restricted), ""},
		"the host's network":                  {deployment(restricted + "      hostNetwork: true\n"), "spec.template.spec: host namespaces"},
		"a path of the host":                  {deployment(restricted + "      volumes: [{name: v, hostPath: {path: /}}]\n"), `restricted volume type "hostPath"`},
		"a privileged container":              {deployment(strings.Replace(restricted, "{allow", "{privileged: true, allow", 1)), "privileged"},
		"the root user":                       {deployment(strings.Replace(restricted, "{allow", "{runAsUser: 0, allow", 1)), "runAsUser=0"},
		"a capability":                        {deployment(strings.Replace(restricted, "drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]", 1)), "SYS_ADMIN"},
		"nothing said":                        {deployment("\n      containers: [{name: a, image: a}]\n"), "allowPrivilegeEscalation != false"},
		"an init container counts":            {deployment(restricted + "      initContainers: [{name: i, image: i}]\n"), `"i"`},
		"an unsafe profile in an annotation":  {strings.Replace(deployment(restricted), "{labels: {a: b}}", `{annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}`, 1), "AppArmor"},
		"a job in a cron job":                 {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: x}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: a}]}}}}}", "spec.jobTemplate.spec.template.spec"},
		"a pod":                               {"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: a}]}", "Pod x, spec: "},
		"a kind that nobody knows":            {"apiVersion: x/v1\nkind: X\nmetadata: {name: x}\nspec: {parts: [{pod: {containers: [{name: a, image: a}]}}]}", "spec.parts[0].pod"},
		"a model's own container passes":      {service(model + "allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}}"), ""},
		"a privileged model":                  {service(model + "privileged: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}}"), `"kserve-container"`},
		"a framework of an older manifest":    {service("predictor: {sklearn: {storageUri: s3://a}}"), "spec.predictor: "},
		"a transformer":                       {service("transformer: {hostPID: true, containers: [{name: t, image: t}]}"), "spec.transformer: "},
		"a worker of many":                    {service("predictor: {workerSpec: {hostIPC: true, containers: [{name: t, image: t}]}}"), "spec.predictor.workerSpec: "},
		"a namespace that enforces":           {"apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {pod-security.kubernetes.io/enforce: restricted}}", ""},
		"a namespace that enforces something": {"apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {pod-security.kubernetes.io/enforce: privileged}}", `"privileged"`},
		"a namespace that enforces nothing":   {"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}", "metadata.labels"},
		"what has no pods":                    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {containers: a}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			violations, err := Check([]*unstructured.Unstructured{object(t, tc.object)})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			for _, v := range violations {
				text.WriteString(v.String() + "\n")
			}
			if tc.want == "" && text.Len() > 0 || !strings.Contains(text.String(), tc.want) {
				t.Errorf("%q\nwant %q", text.String(), tc.want)
			}
		})
	}
	if _, err := Check([]*unstructured.Unstructured{object(t, deployment("\n      containers: [{name: 7}]\n"))}); err == nil {
		t.Error("what is no pod was judged")
	}
}
