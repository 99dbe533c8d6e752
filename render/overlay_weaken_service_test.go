package render

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// objectsOf are what one of the cases renders.
func objectsOf(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	cases := modelCases()
	i := slices.IndexFunc(cases, func(c modelCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	return mustModel(t, cases[i].input)
}

// TestAnOverlayServesWhatWasJudged patches what was approved, placed, counted
// against the quota and priced, in models of several shapes.
func TestAnOverlayServesWhatWasJudged(t *testing.T) {
	const (
		churn, gpu, custom, parts, knative, graph, route = "churn-predictor", "gpu-t4-onnx", "custom-container", "transformer-explainer", "knative", "graph", "canary-standard"
		requests                                         = "/spec/predictor/model/resources/requests"
	)
	for name, c := range map[string]struct{ model, kind, patch, want string }{
		"more replicas":          {churn, kserveKind, `{op: replace, path: /spec/predictor/minReplicas, value: 500}`, "raises minReplicas from 2 to 500"},
		"more replicas at most":  {churn, kserveKind, `{op: replace, path: /spec/predictor/maxReplicas, value: 900}`, "raises maxReplicas from"},
		"replicas without bound": {churn, kserveKind, `{op: remove, path: /spec/predictor/maxReplicas}`, "takes away maxReplicas"},
		"more processors":        {churn, kserveKind, `{op: replace, path: ` + requests + `/cpu, value: "400"}`, "raises the request of cpu from"},
		"more processors, as a number": {churn, kserveKind, `{op: replace, path: ` + requests + `/cpu, value: 400}`,
			"raises the request of cpu from"},
		"a higher limit":         {churn, kserveKind, `{op: replace, path: /spec/predictor/model/resources/limits/memory, value: 1Ti}`, "raises the limit of memory from"},
		"no request":             {churn, kserveKind, `{op: remove, path: ` + requests + `/memory}`, "takes away the request of memory"},
		"no resources":           {churn, kserveKind, `{op: remove, path: /spec/predictor/model/resources}`, "takes away the request of cpu"},
		"another resource":       {churn, kserveKind, `{op: add, path: ` + requests + `/hugepages-2Mi, value: 1Gi}`, "sets the request of hugepages-2Mi"},
		"a device by claim":      {churn, kserveKind, `{op: add, path: /spec/predictor/model/resources/claims, value: [{name: gpu}]}`, "claims other devices"},
		"resources of the pod":   {churn, kserveKind, `{op: add, path: /spec/predictor/resources, value: {requests: {cpu: "400"}}}`, "sets the request of cpu"},
		"claims of the pod":      {churn, kserveKind, `{op: add, path: /spec/predictor/resourceClaims, value: [{name: gpu}]}`, "changes resourceClaims"},
		"a GPU less":             {gpu, kserveKind, `{op: remove, path: /spec/predictor/model/resources/limits/nvidia.com~1gpu}`, "none instead of 1 × nvidia.com/gpu"},
		"a larger transformer":   {parts, kserveKind, `{op: replace, path: /spec/transformer/maxReplicas, value: 9}`, "(spec.transformer)"},
		"no transformer":         {parts, kserveKind, `{op: remove, path: /spec/transformer}`, "takes away the component transformer"},
		"a GPU beside the model": {churn, kserveKind, `{op: add, path: /spec/predictor/containers, value: [{name: side, image: x, resources: {limits: {nvidia.com/gpu: "2"}}}]}`, "asks for other accelerators"},
		"a container beside it":  {churn, kserveKind, `{op: add, path: /spec/predictor/containers, value: [{name: side, image: x}]}`, "adds or takes away containers"},
		"a container beside a custom one": {custom, kserveKind, `{op: add, path: /spec/predictor/containers/-, value: {name: side, image: x}}`,
			"adds or takes away containers"},
		"a container before it":  {churn, kserveKind, `{op: add, path: /spec/predictor/initContainers, value: [{name: i, image: x, resources: {limits: {nvidia.com/gpu: "2"}}}]}`, "changes initContainers"},
		"workers":                {churn, kserveKind, `{op: add, path: /spec/predictor/workerSpec, value: {tolerations: [{operator: Exists}], containers: [{name: w, image: x}]}}`, "changes workerSpec"},
		"an agent beside it":     {churn, kserveKind, `{op: add, path: /spec/predictor/logger, value: {mode: all, url: "http://elsewhere"}}`, "changes logger"},
		"an agent by annotation": {churn, kserveKind, `{op: add, path: /metadata/annotations/internal.serving.kserve.io~1logger, value: "true"}`, "internal.serving.kserve.io/logger"},
		"an agent of a component": {churn, kserveKind, `{op: add, path: /spec/predictor/annotations, value: {internal.serving.kserve.io/batcher: "true"}}`,
			"internal.serving.kserve.io/batcher"},
		"the label of a graph": {churn, kserveKind, `{op: add, path: /metadata/labels/serving.kserve.io~1inferencegraph, value: x}`, "told apart"},
		"the label of a graph on pods": {churn, kserveKind, `{op: add, path: /spec/predictor/labels, value: {serving.kserve.io/inferencegraph: x}}`,
			"told apart"},
		"a server of another sort": {churn, kserveKind, `{op: move, from: /spec/predictor/model, path: /spec/predictor/sklearn}`, "changes sklearn"},
		"another mode":             {churn, kserveKind, `{op: replace, path: /metadata/annotations/serving.kserve.io~1deploymentMode, value: Knative}`, "deploymentMode"},
		"no autoscaler":            {churn, kserveKind, `{op: remove, path: /metadata/annotations/serving.kserve.io~1autoscalerClass}`, "autoscalerClass"},
		"another autoscaler of a component": {churn, kserveKind, `{op: add, path: /spec/predictor/annotations, value: {serving.kserve.io/autoscalerClass: external}}`,
			"autoscalerClass"},
		"replicas by annotation":  {knative, kserveKind, `{op: add, path: /metadata/annotations/autoscaling.knative.dev~1max-scale, value: "500"}`, "max-scale"},
		"a larger proxy":          {knative, kserveKind, `{op: add, path: /spec/predictor/annotations, value: {queue.sidecar.serving.knative.dev/cpu-resource-request: "40"}}`, "queue.sidecar"},
		"another artefact":        {churn, kserveKind, `{op: replace, path: /spec/predictor/model/storageUri, value: "s3://elsewhere/x"}`, "changes model.storageUri"},
		"another artefact beside": {churn, kserveKind, `{op: add, path: /spec/predictor/model/storage, value: {path: x}}`, "changes model.storage"},
		"another artefact of a custom server": {custom, kserveKind, `{op: add, path: /spec/predictor/containers/0/env, value: [{name: STORAGE_URI, value: "s3://elsewhere"}]}`,
			"changes the variable STORAGE_URI"},
		"another runtime":           {churn, kserveKind, `{op: replace, path: /spec/predictor/model/runtime, value: mine}`, "changes model.runtime"},
		"a canary":                  {churn, kserveKind, `{op: add, path: /spec/predictor/canaryTrafficPercent, value: 10}`, "changes canaryTrafficPercent"},
		"a canary of the service":   {churn, kserveKind, `{op: add, path: /spec/canary, value: {}}`, "changes spec.canary"},
		"one of Mooring's labels":   {churn, kserveKind, `{op: add, path: /spec/predictor/labels, value: {mlops-platform.com/team: other}}`, "label mlops-platform.com/team"},
		"a graph anywhere":          {graph, graphKind, `{op: remove, path: /spec/affinity}`, "may leave their pool"},
		"a graph on any node":       {graph, graphKind, `{op: add, path: /spec/tolerations, value: [{operator: Exists}]}`, "tolerates the taint"},
		"a graph as the model":      {graph, graphKind, `{op: replace, path: /spec/serviceAccountName, value: model-churn-predictor}`, "service account"},
		"a graph on a node":         {graph, graphKind, `{op: add, path: /spec/nodeName, value: phi-1}`, "past the scheduler"},
		"a larger graph":            {graph, graphKind, `{op: replace, path: /spec/maxReplicas, value: 90}`, "raises maxReplicas"},
		"larger routers":            {graph, graphKind, `{op: replace, path: /spec/resources/requests/cpu, value: 90}`, "raises the request of cpu"},
		"another way through":       {graph, graphKind, `{op: replace, path: /spec/nodes/root/steps/0/serviceName, value: other}`, "changes nodes"},
		"another name":              {route, routeKind, `{op: replace, path: /spec/hostnames, value: [other.example.com]}`, "changes spec.hostnames"},
		"another gateway":           {route, routeKind, `{op: replace, path: /spec/parentRefs/0/namespace, value: other}`, "changes spec.parentRefs"},
		"another backend":           {route, routeKind, `{op: replace, path: /spec/rules/0/backendRefs/0/name, value: other}`, "changes spec.rules[0].backendRefs"},
		"another weight":            {route, routeKind, `{op: replace, path: /spec/rules/0/backendRefs/0/weight, value: 1}`, "changes spec.rules[0].backendRefs"},
		"another rule":              {route, routeKind, `{op: add, path: /spec/rules/-, value: {backendRefs: [{name: other, port: 80}]}}`, "changes spec.rules"},
		"a copy":                    {route, routeKind, `{op: add, path: /spec/rules/0/filters, value: [{type: RequestMirror, requestMirror: {backendRef: {name: other, port: 80}}}]}`, "RequestMirror"},
		"no rules that can be read": {route, routeKind, `{op: replace, path: /spec/rules, value: [1]}`, "unreadable"},
		"all pods at once":          {churn, kindDisruptionBudget, `{op: replace, path: /spec/maxUnavailable, value: "100%"}`, "lets 100% pods go at once instead of 1"},
		"two pods at once":          {churn, kindDisruptionBudget, `{op: replace, path: /spec/maxUnavailable, value: 2}`, "lets 2 pods go at once instead of 1"},
		"a budget that counts otherwise": {churn, kindDisruptionBudget,
			`{op: remove, path: /spec/maxUnavailable}, {op: add, path: /spec/minAvailable, value: 0}`, "in another way"},
		"a budget of other pods": {churn, kindDisruptionBudget, `{op: replace, path: /spec/selector, value: {}}`, "which pods"},
	} {
		t.Run(name, func(t *testing.T) {
			out, findings := Overlay(objectsOf(t, c.model), overlayDir, overlayFiles(onePatch(c.kind, c.patch)))
			if out != nil || len(findings) != 1 || findings[0].Code != CodeOverlayWeakens || findings[0].Line != 2 ||
				!strings.Contains(findings[0].Message, c.want) || !strings.Contains(findings[0].Remedy, "in the manifest") {
				t.Errorf("got %v and %d objects, want %s on line 2 with %q", findings, len(out), CodeOverlayWeakens, c.want)
			}
		})
	}
}

func TestAnOverlayMayTuneAModel(t *testing.T) {
	const churn, custom, graph, route = "churn-predictor", "custom-container", "graph", "canary-standard"
	for name, c := range map[string]struct{ model, kind, patch string }{
		"fewer replicas":           {churn, kserveKind, `{op: replace, path: /spec/predictor/maxReplicas, value: 2}`},
		"smaller pods":             {churn, kserveKind, `{op: replace, path: /spec/predictor/model/resources/requests/cpu, value: 100m}`},
		"a bound of the disk":      {churn, kserveKind, `{op: add, path: /spec/predictor/model/resources/limits/ephemeral-storage, value: 1Gi}`},
		"another target":           {churn, kserveKind, `{op: replace, path: /spec/predictor/scaleTarget, value: 50}`},
		"a variable":               {churn, kserveKind, `{op: add, path: /spec/predictor/model/env, value: [{name: OTEL_SERVICE_NAME, value: x}]}`},
		"a variable of a server":   {custom, kserveKind, `{op: add, path: /spec/predictor/containers/0/env/-, value: {name: HTTPS_PROXY, value: "http://proxy"}}`},
		"a mirror of the images":   {custom, kserveKind, `{op: replace, path: /spec/predictor/containers/0/image, value: "mirror.example.com/rules@sha256:aaaa"}`},
		"labels and annotations":   {churn, kserveKind, `{op: add, path: /spec/predictor/labels, value: {a: b}}, {op: add, path: /spec/predictor/annotations, value: {autoscaling.knative.dev/window: 60s}}`},
		"a priority":               {churn, kserveKind, `{op: add, path: /spec/predictor/priorityClassName, value: models}`},
		"a graph's longer timeout": {graph, graphKind, `{op: add, path: /spec/timeout, value: 90}`},
		"a header":                 {route, routeKind, `{op: add, path: /spec/rules/0/filters, value: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: b}]}}]}`},
		"no pod at all":            {churn, kindDisruptionBudget, `{op: replace, path: /spec/maxUnavailable, value: 0}`},
		"broken pods":              {churn, kindDisruptionBudget, `{op: add, path: /spec/unhealthyPodEvictionPolicy, value: AlwaysAllow}`},
	} {
		t.Run(name, func(t *testing.T) {
			mustOverlay(t, objectsOf(t, c.model), onePatch(c.kind, c.patch))
		})
	}
}

// A patch that names no kind reaches every kind that is rendered.
func TestAnOverlayThatNamesNoKindMayNotWeakenAGraph(t *testing.T) {
	files := kustomizationOf("patches:\n- target: {name: '.*-graph'}\n  patch: '[{op: test, path: /kind, value: InferenceGraph}, {op: remove, path: /spec/affinity}]'\n")
	graphs := slices.DeleteFunc(objectsOf(t, "graph"), func(u *unstructured.Unstructured) bool { return u.GetKind() != graphKind })
	_, findings := Overlay(graphs, overlayDir, overlayFiles(files))
	if len(findings) != 1 || findings[0].Code != CodeOverlayWeakens {
		t.Errorf("got %v", findings)
	}
}
