package schemas

import (
	"slices"
	"strings"
	"testing"
)

// change edits one file of the example tree before a mutation breaks it.
type change struct{ file, from, to string }

const productionPath = "environments/production.yaml"

var (
	knative   = change{productionPath, "mode: Standard}\n  gateway: {name: models, namespace: gateway-system, hostname: \"{model}.{team}.models.example.com\"}", "mode: Knative}"}
	noGateway = change{productionPath, "\n  gateway: {name: models, namespace: gateway-system, hostname: \"{model}.{team}.models.example.com\"}", ""}
	keda      = change{productionPath, "mode: Standard}", "mode: Standard, keda: {prometheus: \"http://prometheus.monitoring:9090\"}}"}
)

var (
	sharedGPU = change{productionPath, "resource: nvidia.com/gpu", "resource: nvidia.com/gpu.shared"}
	slicedGPU = change{productionPath, "resource: nvidia.com/gpu", "resource: nvidia.com/mig-1g.5gb"}
)

func peers(network string) change {
	return change{productionPath, "  drift: heal", "  network: {" + network + "}\n  drift: heal"}
}

func release(version string) change { return change{productionPath, `"0.20"`, `"` + version + `"`} }

func format(name string) change { return change{manifestPath, "format: mlflow", "format: " + name} }

// What the environment's KServe cannot do is refused where it is written, with a
// remedy, before anything is applied.
func TestWhatKServeCannotDoIsRefusedWhereItIsWritten(t *testing.T) {
	const accelerator = "    accelerator: {type: nvidia-t4, count: 1}\n"
	for _, c := range []struct {
		changes []change
		treeMutation
	}{
		{nil, treeMutation{manifestPath, mutation{"a protocol that the format's runtimes do not speak", "capacity: spot", "protocol: ¦v1", CodeRuntime}}},
		{nil, treeMutation{manifestPath, mutation{"a runtime that does not serve the format", "capacity: spot", "runtime: ¦kserve-sklearnserver", CodeRuntime}}},
		{[]change{format("sklearn")}, treeMutation{manifestPath, mutation{"a runtime that does not speak the protocol", "capacity: spot", "protocol: ¦v1\n    runtime: kserve-mlserver", CodeRuntime}}},
		{[]change{format("pmml")}, treeMutation{manifestPath, mutation{"a format's default that needs no protocol is fine", "capacity: spot", "capacity: on-demand", ""}}},
		{[]change{format("pytorch")}, treeMutation{manifestPath, mutation{"PyTorch on Triton by name is fine", "capacity: spot", "runtime: kserve-tritonserver\n    protocol: v2", ""}}},
		{[]change{format("sklearn"), noGateway}, treeMutation{manifestPath, mutation{"a runtime of the cluster's own is fine", "  rollout:\n    canary: {steps: [10, 50], interval: 10m}\n", "  rollout:\n", ""}}},
		{nil, treeMutation{manifestPath, mutation{"the runtime that runs as root", "capacity: spot", "runtime: ¦kserve-vllmserver", CodeRuntime}}},
		{[]change{release("0.12")}, treeMutation{manifestPath, mutation{"vLLM in a KServe that has none", "format: mlflow", "format: ¦vllm", CodeRuntime}}},
		{[]change{format("pytorch"), release("0.11"), noCanary}, treeMutation{manifestPath, mutation{"gRPC v2 before TorchServe spoke it", "capacity: spot", "protocol: ¦grpc-v2", CodeRuntime}}},
		{[]change{{manifestPath, accelerator, ""}}, treeMutation{manifestPath, mutation{"vLLM on CPUs", "format: mlflow", "format: ¦vllm", CodeNeedsAccelerator}}},
		{[]change{{manifestPath, accelerator, ""}}, treeMutation{manifestPath, mutation{"Hugging Face on CPUs is fine", "format: mlflow", "format: huggingface", ""}}},

		{[]change{format("tensorflow"), sharedGPU}, treeMutation{manifestPath, mutation{"a time slice that KServe takes for no GPU", "{type: nvidia-t4", "{type: ¦nvidia-t4", CodeRuntime}}},
		{[]change{format("vllm"), sharedGPU}, treeMutation{manifestPath, mutation{"a large model on such slices", "{type: nvidia-t4", "{type: ¦nvidia-t4", CodeRuntime}}},
		{[]change{format("pytorch"), slicedGPU, release("0.15")}, treeMutation{manifestPath, mutation{"a slice in a KServe that takes none for a GPU", "{type: nvidia-t4", "{type: ¦nvidia-t4", CodeRuntime}}},
		{[]change{format("pytorch"), slicedGPU, release("0.16")}, treeMutation{manifestPath, mutation{"a slice that KServe takes for a GPU is fine", "{type: nvidia-t4", "{type: nvidia.com/mig-1g.5gb", ""}}},
		{[]change{format("triton"), sharedGPU}, treeMutation{manifestPath, mutation{"one image for CPUs and GPUs is fine", "{type: nvidia-t4", "{type: nvidia.com/gpu.shared", ""}}},
		{[]change{format("tensorflow"), sharedGPU, noCanary}, treeMutation{manifestPath, mutation{"an image of the cluster's own is fine", "capacity: spot", "runtime: ours", ""}}},

		{nil, treeMutation{manifestPath, mutation{"a batcher that sees no batch", "    capacity: spot", "    ¦batcher: {maxBatchSize: 8, maxLatency: 50}", CodeNoEffect}}},
		{[]change{format("pmml")}, treeMutation{manifestPath, mutation{"a batcher over protocol v1 is fine", "capacity: spot", "batcher: {maxBatchSize: 8, maxLatency: 50}", ""}}},
		{nil, treeMutation{manifestPath, mutation{"a limit above every node", "memory: 8Gi}", "memory: ¦29637Mi}", CodeNoEffect}}},
		{nil, treeMutation{manifestPath, mutation{"a limit of all that a node has is fine", "memory: 8Gi}", "memory: 29636Mi}", ""}}},

		{[]change{format("triton"), noCanary, noGateway, grpcLogger, release("0.13")}, treeMutation{manifestPath, mutation{"a logger that lets no gRPC through", "    logger: {url", "    ¦logger: {url", CodeServingMode}}},
		{[]change{format("triton"), noCanary, noGateway, grpcLogger}, treeMutation{manifestPath, mutation{"a logger that lets gRPC through is fine", "    logger: {url", "    logger: {url", ""}}},
		{[]change{format("triton"), noCanary}, treeMutation{manifestPath, mutation{"gRPC beside a gateway of HTTP is a warning", "capacity: spot", "protocol: ¦grpc-v2", CodeNoRoute}}},
		{[]change{format("triton"), noCanary, noGateway}, treeMutation{manifestPath, mutation{"gRPC without a gateway is fine", "capacity: spot", "protocol: grpc-v2", ""}}},
		{[]change{format("triton"), noCanary, knative}, treeMutation{manifestPath, mutation{"gRPC in Knative mode is fine", "capacity: spot", "protocol: grpc-v2", ""}}},

		{[]change{release("0.11"), noCanary}, treeMutation{manifestPath, mutation{"an image before KServe served models out of images", "format: mlflow", "format: mlflow\n    uri: ¦oci://registry.example.com/churn:2", CodeServingMode}}},
		{[]change{release("0.12"), noCanary}, treeMutation{manifestPath, mutation{"an image, which has to be switched on, is a warning", "format: mlflow", "format: mlflow\n    uri: ¦oci://registry.example.com/churn:2", CodeServingMode}}},
		{[]change{release("0.13"), noCanary}, treeMutation{manifestPath, mutation{"Hugging Face's hub before KServe fetched from it", "format: mlflow", "format: mlflow\n    uri: ¦hf://acme/churn", CodeServingMode}}},
		{[]change{release("0.14"), noCanary}, treeMutation{manifestPath, mutation{"Hugging Face's hub is fine", "format: mlflow", "format: mlflow\n    uri: hf://acme/churn", ""}}},
		{[]change{release("0.13"), noCanary}, treeMutation{productionPath, mutation{"a template on the hub before that", "  drift: heal", "  artifacts: ¦hf://{name}/{version}\n  drift: heal", CodeServingMode}}},
		{nil, treeMutation{productionPath, mutation{"a template of images is a warning", "  drift: heal", "  artifacts: ¦oci://{name}:{version}\n  drift: heal", CodeServingMode}}},
		{[]change{release("0.13"), noCanary}, treeMutation{productionPath, mutation{"isolated artefacts on the hub before that", "  drift: heal", isolate("¦hf://phi/{name}/v{version}"), CodeServingMode}}},

		{[]change{knative}, treeMutation{manifestPath, mutation{"a request that takes longer than Knative lets it is a warning", "capacity: spot", "timeoutSeconds: ¦601", CodeServingMode}}},
		{[]change{knative}, treeMutation{manifestPath, mutation{"as long as Knative lets it is fine", "capacity: spot", "timeoutSeconds: 600", ""}}},
		{nil, treeMutation{manifestPath, mutation{"longer in Standard mode is fine", "capacity: spot", "timeoutSeconds: 3600", ""}}},
		{nil, treeMutation{manifestPath, mutation{"a target above the request", "capacity: spot", "autoscaling: {metric: cpu, target: ¦101}", CodeOutOfRange}}},
		{nil, treeMutation{manifestPath, mutation{"a metric of Knative's in Standard mode", "capacity: spot", "autoscaling: {metric: ¦concurrency, target: 5}", CodeServingMode}}},
		{[]change{knative}, treeMutation{manifestPath, mutation{"a metric of Standard mode in Knative's", "capacity: spot", "autoscaling: {metric: ¦cpu, target: 50}", CodeServingMode}}},
		{[]change{knative}, treeMutation{manifestPath, mutation{"requests by the second in Knative mode are fine", "capacity: spot", "autoscaling: {metric: rps, target: 500}", ""}}},
		{nil, treeMutation{manifestPath, mutation{"a query without KEDA", "capacity: spot", "autoscaling: {metric: ¦prometheus, target: 5, query: up}", CodeServingMode}}},
		{[]change{keda}, treeMutation{manifestPath, mutation{"a query with KEDA is fine", "capacity: spot", "autoscaling: {metric: prometheus, target: 5, query: up}", ""}}},
		{[]change{release("0.11"), noCanary}, treeMutation{manifestPath, mutation{"an external autoscaler where KServe makes its own", "capacity: spot", "autoscaling: {metric: ¦external}", CodeServingMode}}},
		{nil, treeMutation{manifestPath, mutation{"an external autoscaler is fine", "capacity: spot", "autoscaling: {metric: external}", ""}}},

		{[]change{noGateway}, treeMutation{manifestPath, mutation{"a canary that nothing splits is a warning", "    canary: {steps", "    ¦canary: {steps", CodeCanary}}},
		{[]change{format("triton"), {manifestPath, "capacity: spot", "protocol: grpc-v2"}}, treeMutation{manifestPath, mutation{"a canary over gRPC", "    canary: {steps", "    ¦canary: {steps", CodeCanary}}},
		{[]change{format("triton"), noGateway, {manifestPath, "capacity: spot", "protocol: grpc-v2"}}, treeMutation{manifestPath, mutation{"a canary over gRPC without a gateway", "    canary: {steps", "    ¦canary: {steps", CodeCanary}}},
		{[]change{{manifestPath, "capacity: spot", "runtime: ours"}}, treeMutation{manifestPath, mutation{"a canary on an unknown runtime", "    canary: {steps", "    ¦canary: {steps", CodeCanary}}},
		{[]change{knative}, treeMutation{manifestPath, mutation{"a canary in Knative mode is fine", "[10, 50]", "[10, 20]", ""}}},
		{nil, treeMutation{manifestPath, mutation{"a name that a canary needs", "metadata:\n  name: churn-predictor", "metadata:\n  name: ¦churn-canary", CodeReservedName}}},

		{[]change{noCanary}, treeMutation{productionPath, mutation{"a gateway beside Knative", "mode: Standard}\n  gateway", "mode: Knative}\n  ¦gateway", CodeServingMode}}},
		{[]change{peers("gateways: [{namespaces: [edge]}]")}, treeMutation{productionPath, mutation{"a gateway that the policies shut out", "namespace: gateway-system", "namespace: ¦gateway-system", CodeNoRoute}}},
		{[]change{peers("gateways: []")}, treeMutation{productionPath, mutation{"a gateway where nobody may ask", "namespace: gateway-system", "namespace: ¦gateway-system", CodeNoRoute}}},
		{[]change{peers("gateways: [{namespaces: [edge, gateway-system], pods: {app: gateway}}]")}, treeMutation{productionPath, mutation{"a gateway among the peers is fine", "namespace: gateway-system", "namespace: gateway-system", ""}}},
		{[]change{peers("gateways: [{cidr: 10.0.0.0/8}]")}, treeMutation{productionPath, mutation{"a gateway that may have one of the addresses is fine", "namespace: gateway-system", "namespace: gateway-system", ""}}},
		{[]change{peers("policy: none, gateways: []")}, treeMutation{productionPath, mutation{"a gateway without policies is fine", "namespace: gateway-system", "namespace: gateway-system", ""}}},
		{[]change{peers("registry: []")}, treeMutation{productionPath, mutation{"a gateway among the default peers is fine", "namespace: gateway-system", "namespace: gateway-system", ""}}},
		{nil, treeMutation{productionPath, mutation{"one host name for all models", `"{model}.{team}.models.example.com"`, `¦"{team}.models.example.com"`, CodeInvalidValue}}},
		{nil, treeMutation{productionPath, mutation{"a label of the host name that grows too long", `"{model}.{team}.models.example.com"`, `¦"{model}-{team}.models.example.com"`, CodeInvalidValue}}},
		{nil, treeMutation{productionPath, mutation{"KEDA before KServe knew it", `version: "0.20", mode: Standard`, "version: \"0.14\", mode: Standard, ¦keda: {prometheus: \"http://p\"}", CodeServingMode}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			findings := findingsAfter(t, c.treeMutation, c.changes)
			_, at := c.apply(t, changed(t, c.file, c.changes))
			expectOne(t, findings, c.code, at)
		})
	}
}

var grpcLogger = change{manifestPath, "capacity: spot", "protocol: grpc-v2\n    logger: {url: \"http://broker\", mode: all}"}

var noCanary = change{manifestPath, "    canary: {steps: [10, 50], interval: 10m}\n", ""}

// A canary that an environment's gateway could split is no error of the manifest;
// one that nothing can split is.
func TestOnlyACanaryThatAGatewayCouldSplitIsLetThroughWithoutOne(t *testing.T) {
	grpc := []change{format("triton"), {manifestPath, "capacity: spot", "protocol: grpc-v2"}}
	for name, c := range map[string]struct {
		changes []change
		want    Severity
	}{
		"over HTTP":             {nil, SeverityWarning},
		"over gRPC":             {grpc, SeverityError},
		"on an unknown runtime": {[]change{{manifestPath, "capacity: spot", "runtime: ours"}}, SeverityError},
	} {
		t.Run(name, func(t *testing.T) {
			keep := treeMutation{manifestPath, mutation{from: "    canary: {steps", to: "    canary: {steps"}}
			findings := findingsAfter(t, keep, append(c.changes, noGateway))
			if len(findings) != 1 || findings[0].Code != CodeCanary || findings[0].Severity != c.want {
				t.Errorf("want one %s: %v", c.want, findings)
			}
		})
	}
}

// KServe's router is refused in a namespace that enforces the restricted standard,
// but where Knative adds what it lacks.
func TestAGraphInRestrictedNamespacesIsNamed(t *testing.T) {
	restricted := change{productionPath, "  drift: heal", "  podSecurity: restricted\n  drift: heal"}
	graph := treeMutation{manifestPath, mutation{from: "capacity: spot", to: "graph: {router: sequence, steps: [{model: churn-predictor}, {model: b}]}"}}
	for name, c := range map[string]struct {
		changes []change
		want    Severity
	}{
		"Standard": {[]change{restricted}, SeverityError},
		"Knative":  {[]change{restricted, knative}, SeverityWarning},
		"baseline": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			findings := slices.DeleteFunc(findingsAfter(t, graph, c.changes), func(f Finding) bool { return f.Code == CodeUnknownModel })
			if c.want == "" && len(findings) == 0 {
				return
			}
			if len(findings) != 1 || findings[0].Code != CodeConflict || findings[0].Severity != c.want || findings[0].Line == 0 {
				t.Errorf("want one %q: %v", c.want, findings)
			}
		})
	}
}

// changed is a file of the example tree after the changes of it.
func changed(t *testing.T, file string, changes []change) string {
	t.Helper()
	files := exampleTree(t)
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == file })
	text := string(files[i].Content)
	for _, c := range changes {
		if c.file != file {
			continue
		}
		if !strings.Contains(text, c.from) {
			t.Fatalf("%q stands nowhere in %s", c.from, file)
		}
		text = strings.Replace(text, c.from, c.to, 1)
	}
	return text
}

// findingsAfter is what is said of the mutated tree, but for what follows from
// another path or a broken file.
func findingsAfter(t *testing.T, m treeMutation, changes []change) Findings {
	t.Helper()
	files := exampleTree(t)
	for i := range files {
		text := changed(t, files[i].Path, changes)
		if files[i].Path == m.file {
			text, _ = m.apply(t, text)
		}
		files[i].Content = []byte(text)
	}
	_, findings := LoadRepository(files)
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Code == CodeBrokenReference || f.Code == CodePathMismatch })
}

func TestAutoscalingAndGraphsHoldTogether(t *testing.T) {
	expectBroken(t, "deployment.yaml", servingRules)
}

var servingRules = []mutation{
	{"a metric without its target", "capacity: spot", "¦autoscaling: {metric: cpu}", CodeRequired},
	{"a target of an external autoscaler", "capacity: spot", "autoscaling: {metric: external, target: ¦5}", CodeConflict},
	{"a query that nothing asks", "capacity: spot", "autoscaling: {metric: cpu, target: 5, query: ¦up}", CodeConflict},
	{"a scaling on no query", "capacity: spot", "¦autoscaling: {metric: prometheus, target: 5}", CodeRequired},
	{"a graph of one step", "capacity: spot", "graph: {router: sequence, ¦steps: [{model: churn-predictor}]}", CodeOutOfRange},
	{"a graph without its own model", "capacity: spot", "graph: {router: sequence, ¦steps: [{model: a}, {model: b}]}", CodeRequired},
	{"a model twice in a graph", "capacity: spot", "graph: {router: sequence, steps: [{model: churn-predictor}, {model: ¦churn-predictor}]}", CodeDuplicateValue},
	{"a splitter that splits nothing", "capacity: spot", "graph: {router: splitter, ¦steps: [{model: churn-predictor, weight: 50}, {model: b, weight: 40}]}", CodeOutOfRange},
	{"a splitter's step without weight", "capacity: spot", "graph: {router: splitter, steps: [{model: churn-predictor, weight: 50}, ¦{model: b}]}", CodeRequired},
	{"a weight in a sequence", "capacity: spot", "graph: {router: sequence, steps: [{model: churn-predictor, weight: ¦50}, {model: b}]}", CodeConflict},
	{"a switch without a condition", "capacity: spot", "graph: {router: switch, steps: [{model: churn-predictor, condition: a}, ¦{model: b}]}", CodeRequired},
	{"a condition in an ensemble", "capacity: spot", "graph: {router: ensemble, steps: [{model: churn-predictor, condition: ¦a}, {model: b}]}", CodeConflict},
	{"data in a switch", "capacity: spot", "graph: {router: switch, steps: [{model: churn-predictor, condition: a, data: ¦response}, {model: b, condition: c}]}", CodeConflict},
	{"a sequence is fine", "capacity: spot", "graph: {router: sequence, steps: [{model: churn-predictor}, {model: b, data: response, condition: a, optional: true}]}", ""},
	{"a splitter is fine", "capacity: spot", "graph: {router: splitter, steps: [{model: churn-predictor, weight: 60}, {model: b, weight: 40}]}", ""},
	{"a switch is fine", "capacity: spot", "graph: {router: switch, steps: [{model: churn-predictor, condition: a}, {model: b, condition: c}]}", ""},
	{"an unknown router", "capacity: spot", "graph: {router: ¦loop, steps: [{model: churn-predictor}, {model: b}]}", CodeUnknownValue},
}

func TestModelsOfATeamAreJudgedTogether(t *testing.T) {
	manifest := func(name, serving string) File {
		text := strings.NewReplacer("metadata:\n  name: churn-predictor", "metadata:\n  name: "+name, "capacity: spot", serving).Replace(changed(t, manifestPath, []change{noCanary}))
		return File{Path: "models/data-science/" + name + "/production/deployment.yaml", Content: []byte(text)}
	}
	speaksGRPC := func(f File) File {
		f.Content = []byte(strings.Replace(string(f.Content), "format: mlflow", "format: triton", 1))
		return f
	}
	base := slices.DeleteFunc(exampleTree(t), func(f File) bool { return f.Path == manifestPath })
	for i := range base {
		base[i].Content = []byte(strings.Replace(string(base[i].Content), noGateway.from, noGateway.to, 1))
	}
	const asks = "graph: {router: sequence, steps: [{model: scores}, {model: offers}]}"
	for name, c := range map[string]struct {
		files []File
		want  []string
	}{
		"a graph of models that are there":      {[]File{manifest("scores", asks), manifest("offers", "capacity: spot")}, nil},
		"a graph of a model that is not":        {[]File{manifest("scores", asks)}, []string{CodeUnknownModel}},
		"a model of the graph's name":           {[]File{manifest("scores", asks), manifest("offers", "capacity: spot"), manifest("scores-graph", "capacity: spot")}, []string{CodeReservedName}},
		"a model of the name of a Service":      {[]File{manifest("scores", "capacity: spot"), manifest("scores-predictor", "capacity: spot")}, []string{CodeReservedName}},
		"a graph of a model that speaks gRPC":   {[]File{manifest("scores", asks), speaksGRPC(manifest("offers", "protocol: grpc-v2"))}, []string{CodeConflict}},
		"names that only begin like each other": {[]File{manifest("scores", "capacity: spot"), manifest("scores-router", "capacity: spot")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := LoadRepository(slices.Concat(base, c.files))
			var got []string
			for _, f := range findings {
				got = append(got, f.Code)
				if f.Line == 0 || f.Remedy == "" {
					t.Errorf("no place or remedy: %v", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", findings, c.want)
			}
		})
	}
}
