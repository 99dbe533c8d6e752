package schemas

import (
	"testing"
)

func TestManifestScalars(t *testing.T) { expectBroken(t, "deployment.yaml", manifestScalars) }

var manifestScalars = []mutation{
	{"a hexadecimal integer", "min: 2, max: 10", "min: ¦0x2, max: 10", CodeWrongType},
	{"an octal integer", "min: 2, max: 10", "min: ¦0o2, max: 10", CodeWrongType},
	{"an exponent in an integer", "min: 2, max: 10", "min: 2, max: ¦1e1", CodeWrongType},
	{"a separator in an integer", "min: 2, max: 10", "min: 2, max: ¦1_0", CodeWrongType},
	{"a sign before an integer", "min: 2, max: 10", "min: ¦+2, max: 10", CodeWrongType},
	{"a leading zero", "min: 2, max: 10", "min: ¦02, max: 10", CodeWrongType},
	{"a fraction in an integer", "min: 2, max: 10", "min: ¦2.0, max: 10", CodeWrongType},
	{"a quoted integer", "min: 2, max: 10", `min: ¦"2", max: 10`, CodeWrongType},
	{"an integer beyond 32 bits", "min: 2, max: 10", "min: 2, max: ¦4294967298", CodeOutOfRange},
	{"an integer beyond 64 bits", "min: 2, max: 10", "min: 2, max: ¦99999999999999999999", CodeOutOfRange},
	{"a negative count", "min: 2, max: 10", "min: ¦-1, max: 10", CodeOutOfRange},
	{"NaN", "min: 0.80", "min: ¦.nan", CodeNotFinite},
	{"an infinity", "min: 0.80", "min: ¦-.inf", CodeNotFinite},
	{"a number too large for a float", "min: 0.80", "min: ¦1e999", CodeOutOfRange},
	{"a float with an exponent is fine", "min: 0.80", "min: 8e-1", ""},
	{"NaN in a payload", "[[1.0, 2.0, 3.0]]", "[[1.0, ¦.NaN]]", CodeNotFinite},
	{"a null in a payload", "[[1.0, 2.0, 3.0]]", "[[1.0, ¦null]]", CodeNull},
	{"a date in a payload", "[[1.0, 2.0, 3.0]]", "[[1.0, ¦2026-01-01]]", CodeWrongType},
	{"an upper-case boolean in a payload", "[[1.0, 2.0, 3.0]]", "[[1.0, ¦TRUE]]", CodeWrongType},
	{"a payload of objects is fine", "[[1.0, 2.0, 3.0]]", `[{"a": true, "b": [1, "x"]}]`, ""},
	{"an unquoted number as version", `version: "2"`, "version: ¦2", CodeWrongType},
	{"an unquoted fraction as version", `version: "2"`, "version: ¦1.10", CodeWrongType},
	{"an unquoted date as version", `version: "2"`, "version: ¦2026-01-01", CodeWrongType},
	{"a dotted version needs no quotes", `version: "2"`, "version: 1.2.3", ""},
	{"a boolean as a text", "value: info", "value: ¦true", CodeWrongType},
	{"yes is a text", "value: info", "value: yes", ""},
	{"a list where a text belongs", "format: mlflow", "¦format: [mlflow]", CodeWrongType},
	{"a text where a mapping belongs", "replicas: {min: 2, max: 10}", "replicas: ¦two", CodeWrongType},
	{"yes as a boolean", "key: token}", "key: token, optional: ¦yes}", CodeWrongType},
	{"True as a boolean", "key: token}", "key: token, optional: ¦True}", CodeWrongType},
	{"a quoted boolean", "key: token}", `key: token, optional: ¦"true"}`, CodeWrongType},
	{"a duration without unit", "interval: 10m", "interval: ¦10", CodeInvalidValue},
	{"a duration of no time", "interval: 10m", "interval: ¦0s", CodeOutOfRange},
	{"a negative duration", "interval: 10m", "interval: ¦-5m", CodeInvalidValue},
	{"a duration in milliseconds", "interval: 10m", "interval: ¦100ms", CodeInvalidValue},
	{"a duration in days", "interval: 10m", "interval: ¦1d", CodeInvalidValue},
	{"a percentage without its sign", "errorRate: 5%", "errorRate: ¦5", CodeInvalidValue},
	{"a percentage above 100", "errorRate: 5%", "errorRate: ¦101%", CodeInvalidValue},
	{"a percentage of 0 is fine", "errorRate: 5%", "errorRate: 0%", ""},
	{"a factor below 1", "latencyP95Factor: 2", "latencyP95Factor: ¦0.5", CodeOutOfRange},
	{"a quantity of nothing", `{cpu: "1", memory`, `{cpu: ¦"0", memory`, CodeOutOfRange},
	{"a negative quantity", `{cpu: "1", memory`, `{cpu: ¦"-1", memory`, CodeOutOfRange},
	{"no quantity at all", `{cpu: "1", memory`, `{cpu: ¦one, memory`, CodeInvalidValue},
	{"an absurd exponent", `{cpu: "1", memory`, `{cpu: ¦1e999999999, memory`, CodeInvalidValue},
	{"a plain quantity is fine", `{cpu: "1", memory`, `{cpu: 0.5, memory`, ""},
}

func TestManifestFields(t *testing.T) { expectBroken(t, "deployment.yaml", manifestFields) }

var manifestFields = []mutation{
	{"an unknown field", "  features:", "  ¦feature: [a]\n  features:", CodeUnknownField},
	{"a missing field points at its parent", "  governance:\n    businessImpact: high\n", "  ¦governance:\n", CodeRequired},
	{"another version of the API", "mlops-platform.com/v1alpha1", "¦mlops-platform.com/v1", CodeUnknownValue},
	{"a name with capitals", "metadata:\n  name: churn", "metadata:\n  name: ¦Churn", CodeInvalidValue},
	{"a name that begins with a digit", "metadata:\n  name: churn", "metadata:\n  name: ¦9churn", CodeInvalidValue},
	{"a name of 41 characters", "metadata:\n  name: churn-predictor", "metadata:\n  name: ¦a1234567890123456789012345678901234567890", CodeInvalidValue},
	{"an annotation in metadata", "metadata:\n", "metadata:\n  ¦annotations: {a: b}\n", CodeUnknownField},
	{"a registered name with a slash", "model:\n    name: churn", "model:\n    name: ¦a/churn", CodeInvalidValue},
	{"both version and alias", `version: "2"`, "version: \"2\"\n    alias: ¦champion", CodeConflict},
	{"neither version nor alias", "  model:\n    name: churn-predictor\n    version: \"2\"\n", "  ¦model:\n    name: churn-predictor\n", CodeRequired},
	{"an unknown format", "format: mlflow", "format: ¦mflow", CodeUnknownValue},
	{"a custom model without its container", "    format: mlflow\n  serving", "    format: custom\n  ¦serving", CodeRequired},
	{"a container without format custom", "    capacity: spot", "    capacity: spot\n    ¦container: {image: registry.example.com/a}", CodeConflict},
	{"a URI of another scheme", "format: mlflow", "format: mlflow\n    uri: ¦http://a/b", CodeInvalidValue},
	{"a maximum below the minimum", "{min: 2, max: 10}", "{min: 2, max: ¦1}", CodeOutOfRange},
	{"more than 1000 replicas", "{min: 2, max: 10}", "{min: 2, max: ¦1001}", CodeOutOfRange},
	{"a maximum of none without a minimum", "{min: 2, max: 10}", "{max: ¦0}", CodeOutOfRange},
	{"a minimum alone is fine", "{min: 2, max: 10}", "{min: 2}", ""},
	{"no request of memory", `requests: {cpu: "1", memory: 2Gi}`, `¦requests: {cpu: "1"}`, CodeRequired},
	{"memory in thousandths of a byte", "memory: 2Gi}", "memory: ¦512m}", CodeAmount},
	{"memory without a unit", "memory: 2Gi}", "memory: ¦2}", CodeAmount},
	{"memory below 1Mi", "memory: 2Gi}", "memory: ¦1023Ki}", CodeAmount},
	{"half a byte of memory above 1Mi", "memory: 2Gi}", "memory: ¦2000000.5}", CodeAmount},
	{"a limit of thousandths of a byte", "memory: 8Gi", "memory: ¦9663676416500m", CodeAmount},
	{"a part of a thousandth of cpu is fine", `cpu: "1"`, "cpu: 0.0015", ""},
	{"the least memory is fine", `requests: {cpu: "1", memory: 2Gi}`, "requests: {cpu: 0.001, memory: 1Mi}", ""},
	{"memory as a power of ten is fine", "memory: 2Gi}", "memory: 1e9}", ""},
	{"a fraction of a unit of memory is fine", "memory: 2Gi}", `memory: "1.5Gi"}`, ""},
	{"whole bytes in thousandths are fine", "memory: 2Gi}", "memory: 2147483648000m}", ""},
	{"a fraction of a core is fine", `cpu: "1"`, "cpu: 0.1", ""},
	{"memory of a transformer in thousandths of a byte", "    capacity: spot", "    transformer: {image: registry.example.com/a, resources: {requests: {cpu: 1, memory: ¦512m}}}\n    capacity: spot", CodeAmount},
	{"a limit below the request", "memory: 8Gi", "memory: ¦1Gi", CodeOutOfRange},
	{"GPUs among the resources", "memory: 8Gi}", "memory: 8Gi, ¦nvidia.com/gpu: 1}", CodeUnknownField},
	{"an accelerator of none", "count: 1", "count: ¦0", CodeOutOfRange},
	{"an unknown capacity", "capacity: spot", "capacity: ¦reserved", CodeUnknownValue},
	{"a timeout of an hour and a second", "capacity: spot", "timeoutSeconds: ¦3601", CodeOutOfRange},
	{"an unknown protocol", "capacity: spot", "protocol: ¦v3", CodeUnknownValue},
	{"a batch of none", "capacity: spot", "batcher: {maxBatchSize: ¦0, maxLatency: 1}", CodeOutOfRange},
	{"a logger to no URL", "capacity: spot", "logger: {url: ¦ftp://sink, mode: all}", CodeInvalidValue},
	{"a logger's URL with credentials", "capacity: spot", "logger: {url: ¦\"http://u:p@sink/\", mode: all}", CodeInvalidValue},
	{"a role that is no ARN", "capacity: spot", "serviceAccountRole: ¦admin", CodeInvalidValue},
	{"a role of another partition is fine", "capacity: spot", "serviceAccountRole: arn:aws-us-gov:iam::123456789012:role/models/churn", ""},
	{"PYTHONPATH", "name: LOG_LEVEL", "name: ¦PYTHONPATH", CodeUnknownValue},
	{"a variable's name with a space", "name: LOG_LEVEL", "name: ¦LOG LEVEL", CodeInvalidValue},
	{"a variable twice", "name: FEAST_TOKEN", "name: ¦LOG_LEVEL", CodeDuplicateValue},
	{"a variable with value and source", "        value: info\n", "        value: info\n        ¦valueFrom: {fieldRef: {fieldPath: metadata.name}}\n", CodeConflict},
	{"a variable with neither", "      - name: LOG_LEVEL\n        value: info\n", "      - ¦name: LOG_LEVEL\n", CodeRequired},
	{"a variable with two sources", "valueFrom:\n          secretKeyRef: {name: feast, key: token}", "¦valueFrom:\n          secretKeyRef: {name: feast, key: token}\n          fieldRef: {fieldPath: metadata.name}", CodeConflict},
	{"a field that pods do not offer", "secretKeyRef: {name: feast, key: token}", "fieldRef: {fieldPath: ¦spec.containers}", CodeInvalidValue},
	{"canary steps that fall", "steps: [10, 50]", "steps: [50, ¦10]", CodeNotAscending},
	{"a canary step twice", "steps: [10, 50]", "steps: [10, ¦10]", CodeNotAscending},
	{"a canary of all traffic", "steps: [10, 50]", "steps: [10, ¦100]", CodeOutOfRange},
	{"a canary step of a percentage", "steps: [10, 50]", "steps: [10, ¦50%]", CodeWrongType},
	{"a canary of no steps", "steps: [10, 50]", "¦steps: []", CodeOutOfRange},
	{"a regulation twice", "regulations: [gdpr]", "regulations: [gdpr, ¦gdpr]", CodeDuplicateValue},
	{"no regulation is fine when it is said", "regulations: [gdpr]", "regulations: []", ""},
	{"regulations unsaid", "  governance:\n    businessImpact: high\n    customerExposure: direct\n    dataSensitivity: pii\n    regulations: [gdpr]\n",
		"  ¦governance:\n    businessImpact: high\n    customerExposure: direct\n    dataSensitivity: pii\n", CodeRequired},
	{"a metric without a bound", "{name: auc, min: 0.80, maxRegression: 0.01}", "¦{name: auc}", CodeRequired},
	{"a metric's maximum below its minimum", "{name: auc, min: 0.80, maxRegression: 0.01}", "{name: auc, min: 0.8, max: ¦0.7}", CodeOutOfRange},
	{"a negative regression", "maxRegression: 0.01", "maxRegression: ¦-0.01", CodeOutOfRange},
	{"a smoke test of both protocols", "instances: [[1.0, 2.0, 3.0]]", "instances: [[1.0]]\n      ¦inputs: [{name: x}]", CodeConflict},
	{"a smoke test of nothing", "    smoke:\n      instances: [[1.0, 2.0, 3.0]]\n", "    ¦smoke:\n", CodeRequired},
	{"a feature twice", "[customer_features]", "[a, b, ¦a]", CodeDuplicateValue},
	{"an empty item", "[customer_features]", `[¦""]`, CodeInvalidValue},
}

func TestJustificationIsCountedInCharacters(t *testing.T) {
	long := make([]rune, MaxJustification)
	for i := range long {
		long[i] = 'é'
	}
	text := "justification: "
	from := "justification: |\n    Replaces version 1, which was trained before the change of tariffs.\n"
	expectBroken(t, "deployment.yaml", []mutation{
		{"4,000 characters are allowed", from, text + string(long) + "\n", ""},
		{"4,001 are not", from, text + mark + string(long) + "x\n", CodeTooLong},
	})
}

func TestDefaultsAreFilledIn(t *testing.T) {
	text := `apiVersion: mlops-platform.com/v1alpha1
kind: ModelDeployment
metadata: {name: small}
spec:
  team: data-science
  environment: staging
  model: {name: small, alias: champion, format: sklearn}
  serving:
    resources: {requests: {cpu: 500m, memory: 1Gi}, limits: {cpu: 1}}
  governance: {businessImpact: low, customerExposure: none, dataSensitivity: public, regulations: [], explainability: none}
`
	doc, findings := ParseModelDeployment("f.yaml", []byte(text))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	s := doc.Value.Spec
	if s.Serving.Replicas.Low() != 1 || *s.Serving.Replicas.Max != 1 || s.Serving.Pool != PoolAuto || s.Serving.Capacity != "" {
		t.Errorf("serving: %+v", s.Serving)
	}
	if l := s.Serving.Resources.Limits; l.CPU.String() != "1" || l.Memory.String() != "1Gi" {
		t.Errorf("limits: %v %v", l.CPU, l.Memory)
	}
	if r := s.Rollout.Rollback; r.ErrorRate.String() != "5%" || r.Availability.String() != "99%" || r.LatencyP95Factor != 2 || r.For.String() != "5m" {
		t.Errorf("rollback: %+v", r)
	}
	if doc.Written("spec.rollout.rollback.for") || !doc.Written("spec.serving.resources.limits.cpu") {
		t.Error("Written does not tell defaults from the file's own")
	}
}

func TestPositions(t *testing.T) {
	doc, findings := ParseModelDeployment("f.yaml", []byte(fixture(t, "deployment.yaml")))
	if doc == nil {
		t.Fatal(findings)
	}
	for field, want := range map[string]Position{
		"":                                   {2, 1},
		"spec.serving.replicas.min":          {14, 21},
		"spec.serving.replicas":              {14, 5},
		"spec.rollout.canary.steps[1]":       {27, 26},
		"spec.rollout.canary.steps[7]":       {27, 14},
		"spec.serving.env[0].name":           {21, 15},
		"spec.serving.env[0]":                {21, 9},
		"spec.serving.batcher.maxLatency":    {13, 3},
		"spec.checks.smoke.instances[0][2]":  {39, 30},
		"nothing.of[the].sort":               {2, 1},
		"spec.serving.resources.limits.cpu":  {17, 21},
		"spec.justification":                 {42, 18},
		"spec.serving.env[1].valueFrom.x[0]": {24, 9},
	} {
		if got := doc.Position(field); got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
}
