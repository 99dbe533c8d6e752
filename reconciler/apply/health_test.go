package apply

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	obj := &unstructured.Unstructured{}
	if err := obj.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return obj
}

const isvc = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n"

func TestHealthOf(t *testing.T) {
	cases := []struct {
		name, object string
		want         HealthStatus
		reason       string
	}{
		{"no status yet", isvc + "metadata: {name: a}", Progressing, "NotReady"},
		{"ready", isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'True'}], modelStatus: {transitionStatus: UpToDate}}", Ready, "Ready"},
		{"ready with an old failure that KServe never clears",
			isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'True'}], modelStatus: {transitionStatus: UpToDate, lastFailureInfo: {reason: ModelLoadFailed}}}", Ready, "Ready"},
		{"ready, changed to what no runtime supports",
			isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'True'}], modelStatus: {transitionStatus: InvalidSpec, lastFailureInfo: {reason: NoSupportingRuntime, message: none}}}", Failed, "NoSupportingRuntime"},
		{"unknown without a reason, the model fails to load",
			isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: Unknown}], modelStatus: {transitionStatus: BlockedByFailedLoad}}", Failed, "BlockedByFailedLoad"},
		{"a failure from before the last apply",
			isvc + `metadata:
  name: a
  managedFields:
  - {manager: mooring, operation: Apply, time: "2026-08-01T12:00:05Z", fieldsV1: {"f:spec": {}}}
  - {manager: manager, operation: Update, subresource: status, time: "2026-08-01T12:00:00Z", fieldsV1: {"f:status": {}}}
status: {modelStatus: {transitionStatus: InvalidSpec}}`, Progressing, "StatusOutdated"},
		{"starting", isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'False'}, {type: PredictorReady, status: 'False', reason: MinimumReplicasUnavailable}]}", Progressing, "MinimumReplicasUnavailable"},
		{"given up", isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'False'}, {type: PredictorReady, status: 'False', reason: ProgressDeadlineExceeded}]}", Failed, "ProgressDeadlineExceeded"},
		{"stopped", isvc + "metadata: {name: a}\nstatus: {conditions: [{type: Stopped, status: 'True'}]}", Progressing, "Stopped"},
		{"its observedGeneration is the Deployment's and says nothing", isvc + "metadata: {name: a, generation: 7}\nstatus: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}", Ready, "Ready"},
		{"going away", isvc + "metadata: {name: a, deletionTimestamp: '2026-08-01T12:00:00Z'}\nstatus: {conditions: [{type: Ready, status: 'True'}]}", Progressing, "Terminating"},
		{"a graph that KServe has not seen", "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: a}", Progressing, "NotReady"},
		{"a graph that is ready", "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: a}\nstatus: {conditions: [{type: Ready, status: 'True'}]}", Ready, "Current"},
		{"a config map is ready", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", Ready, "Current"},
		{"a deployment that rolls", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, generation: 2}\nstatus: {observedGeneration: 1}", Progressing, "LatestGenerationNotObserved"},
		{"a failed job", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nstatus: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: gave up}]}", Failed, "JobFailed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := HealthOf(parse(t, c.object))
			if got.Status != c.want || got.Reason != c.reason || got.Message == "" {
				t.Errorf("health %+v, want %s %s", got, c.want, c.reason)
			}
		})
	}
	if got := HealthOf(nil); got.Status != Unknown {
		t.Errorf("nothing: %+v", got)
	}
}

func TestRolloutOf(t *testing.T) {
	service := parse(t, isvc+`metadata: {name: a, labels: {mlops-platform.com/version: "3"}}
spec: {predictor: {model: {storageUri: "s3://models/churn/3"}}}
status: {conditions: [{type: Ready, status: "True"}]}`)
	deployment := func(version, uri, replicas string) *unstructured.Unstructured {
		return parse(t, `apiVersion: apps/v1
kind: Deployment
metadata: {name: a-predictor, generation: 1}
spec: {replicas: 2, template: {metadata: {labels: {mlops-platform.com/version: "`+version+`"}, annotations: {internal.serving.kserve.io/storage-initializer-sourceuri: "`+uri+`"}}}}
status: {observedGeneration: 1, replicas: 2, updatedReplicas: `+replicas+`, readyReplicas: 2, availableReplicas: 2, conditions: [{type: Available, status: "True"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}`)
	}
	cases := []struct {
		name       string
		deployment *unstructured.Unstructured
		want       HealthStatus
	}{
		{"every pod is new", deployment("3", "s3://models/churn/3", "2"), Ready},
		{"KServe has not seen the change", deployment("2", "s3://models/churn/2", "2"), Progressing},
		{"the same version from another place", deployment("3", "s3://models/churn/2", "2"), Progressing},
		{"one pod is old", deployment("3", "s3://models/churn/3", "1"), Progressing},
		{"no deployment", nil, Progressing},
	}
	for _, c := range cases {
		if got := RolloutOf(service, c.deployment); got.Status != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
