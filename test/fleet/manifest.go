package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mlops-platform/mooring/schemas"
)

type object = map[string]any

// accelerators of the environments, with the greatest number a node has.
var accelerators = map[string][]object{
	Production: {{"type": "nvidia-t4", "count": 1}, {"type": "nvidia-a10g", "count": 4}},
	Staging:    {{"type": "nvidia-t4", "count": 1}},
	Slices: {
		{"type": "a100-slice", "count": 7}, {"type": "nvidia.com/mig-1g.5gb", "count": 3},
		{"type": "t4-share", "count": 1}, {"type": "nvidia.com/gpu.shared", "count": 4},
	},
}

// Manifest draws a valid manifest of Team in one of the environments, as its
// author could have written it.
func Manifest(r *rand.Rand, name, environment string) map[string]any {
	d := drawer{r, environment}
	spec := object{
		"team": Team, "environment": environment,
		"model": object{
			"name": one(r, name, "A-Model_v1.x", strings.Repeat("m", 128)), "version": one(r, "1", "2026.11.24-rc_1", strings.Repeat("9", 128)),
			"format": string(one(r, schemas.ModelFormats...)),
		},
		"serving": d.serving(),
		"governance": object{
			"businessImpact": one(r, "none", "low", "critical"), "customerExposure": one(r, "none", "internal", "public"),
			"dataSensitivity": one(r, "public", "internal", "pii"), "regulations": one(r, []string{}, []string{"gdpr"}, []string{"sox", "ccpa"}),
			"explainability": one(r, "none", "required"),
		},
		"justification": one(r, "because", "é→\"'\\ {{ .Values }} $(VAR) `x`"),
	}
	if serving := spec["serving"].(object); environment == Isolated && d.chance(4) {
		serving["graph"] = d.graph(name)
	}
	if (environment == Production || environment == Isolated && spec["serving"].(object)["graph"] == nil) && spec["serving"].(object)["accelerator"] == nil && d.chance(4) {
		spec["governance"].(object)["dataSensitivity"] = "phi"
		spec["serving"].(object)["capacity"] = string(schemas.CapacityOnDemand)
	}
	d.model(spec)
	if environment == Isolated && spec["governance"].(object)["dataSensitivity"] == "phi" {
		delete(spec["model"].(object), "uri") // their artefacts have a folder of their own
	}
	d.optional(spec, 3, "rollout", func() any {
		return object{"canary": object{"steps": []int{1, 10 + r.IntN(40), 99}, "interval": "10m"}, "rollback": d.rollback()}
	})
	d.protocol(spec)
	d.optional(spec, 3, "checks", func() any { return object{"smoke": object{"instances": []any{[]any{1.5, "x", true}}}} })
	return object{
		"apiVersion": schemas.APIVersion, "kind": string(schemas.KindModelDeployment),
		"metadata": object{"name": name}, "spec": spec,
	}
}

// ownGPUImage are the formats whose servers for GPUs are images of their own.
var ownGPUImage = []string{
	string(schemas.FormatTensorFlow), string(schemas.FormatPyTorch), string(schemas.FormatHuggingFace), string(schemas.FormatVLLM),
}

// rollback has limits from one end to the other.
func (d drawer) rollback() object {
	return object{
		"errorRate": one(d.Rand, "5%", "0%", "100%", "0.0001%"), "latencyP95Factor": one(d.Rand, 2, 1, 1.25, 1000),
		"availability": one(d.Rand, "99%", "0%", "99.9999%"), "for": one(d.Rand, "5m", "1s", "1.5s", "720h", "1h0m30s"),
	}
}

type drawer struct {
	*rand.Rand
	environment string
}

func one[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// chance is true once in n times.
func (d drawer) chance(n int) bool { return d.IntN(n) == 0 }

func (d drawer) optional(into object, n int, key string, draw func() any) {
	if d.chance(n) {
		into[key] = draw()
	}
}

// model fits what belongs together: an artefact's place, a custom container.
func (d drawer) model(spec object) {
	model, serving := spec["model"].(object), spec["serving"].(object)
	d.optional(model, 3, "uri", func() any {
		return one(d.Rand, "s3://bucket/models/x?v=1&y=%20", "gs://b/m", "pvc://claim/path", "hf://org/model:rev", "s3://b/"+strings.Repeat("d/", 500))
	})
	accelerator, _ := serving["accelerator"].(object)
	if model["format"] == string(schemas.FormatVLLM) && accelerator == nil {
		model["format"] = string(schemas.FormatHuggingFace) // vLLM runs on GPUs
	}
	if shared := accelerator["type"] == "t4-share" || accelerator["type"] == "nvidia.com/gpu.shared"; shared && slices.Contains(ownGPUImage, model["format"].(string)) {
		model["format"] = string(schemas.FormatTriton) // KServe takes a renamed slice for no GPU
	}
	if model["format"] == string(schemas.FormatCustom) {
		container := object{"image": d.image(), "args": d.args()}
		d.optional(container, 2, "env", d.env)
		serving["container"] = container
		return
	}
	d.optional(serving, 2, "env", d.env)
}

// release is that of the environments.
var release = schemas.KServeVersion{Minor: 20}

// protocol is one that a stock runtime serves the format by, in half of the
// manifests. Of what carries HTTP alone a model that speaks gRPC has nothing.
func (d drawer) protocol(spec object) {
	format, serving := schemas.ModelFormat(spec["model"].(object)["format"].(string)), spec["serving"].(object)
	spoken := []schemas.Protocol{schemas.ProtocolV1, schemas.ProtocolV2}
	if serving["graph"] == nil {
		spoken = append(spoken, schemas.ProtocolGRPCV1, schemas.ProtocolGRPCV2)
	}
	spoken = slices.DeleteFunc(spoken, func(p schemas.Protocol) bool {
		return p.GRPC() && format == schemas.FormatCustom ||
			format != schemas.FormatCustom && schemas.StockRuntime(format, p, "", release) == nil
	})
	protocol := one(d.Rand, spoken...)
	if d.chance(2) {
		return
	}
	serving["protocol"] = string(protocol)
	if rollout, ok := spec["rollout"].(object); ok && protocol.GRPC() && d.environment != Serverless {
		delete(rollout, "canary")
	}
}

func (d drawer) serving() object {
	low := 1 + d.IntN(3)
	s := object{"replicas": object{"min": low, "max": low + d.IntN(4)}, "resources": d.resources()}
	if d.environment == Serverless && d.chance(2) {
		s["replicas"] = object{"min": 0, "max": 1 + d.IntN(5)}
	}
	d.optional(s, 2, "capacity", func() any {
		return string(one(d.Rand, schemas.CapacityOnDemand, schemas.CapacityOnDemand, schemas.CapacitySpot))
	})
	if offers := accelerators[d.environment]; len(offers) > 0 && d.chance(3) {
		offer := one(d.Rand, offers...)
		s["accelerator"] = object{"type": offer["type"], "count": 1 + d.IntN(offer["count"].(int))}
		s["capacity"] = string(schemas.CapacityOnDemand)
	}
	d.optional(s, 2, "autoscaling", d.autoscaling)
	d.optional(s, 4, "batcher", func() any { return object{"maxBatchSize": 1 + d.IntN(1<<20), "maxLatency": 1 + d.IntN(1<<20)} })
	d.optional(s, 4, "logger", func() any {
		return object{"url": one(d.Rand, "http://broker", "https://a.b:65535/x?y=z#f"), "mode": one(d.Rand, "all", "request", "response")}
	})
	d.optional(s, 4, "timeoutSeconds", func() any { return one(d.Rand, 1, 60, 3600) })
	d.optional(s, 4, "serviceAccountRole", func() any { return "arn:aws:iam::123456789012:role/path/model+a=b,c.d@e_f-g" })
	d.optional(s, 4, "transformer", d.component)
	d.optional(s, 4, "explainer", d.component)
	return s
}

func (d drawer) autoscaling() any {
	if d.environment == Serverless {
		return object{"metric": one(d.Rand, "concurrency", "rps"), "target": 1 + d.IntN(1000)}
	}
	if d.chance(4) {
		return object{"metric": "external"}
	}
	if d.environment == Isolated && d.chance(2) {
		return object{"metric": "prometheus", "target": 1 + d.IntN(1000), "query": one(d.Rand, "sum(up)", `rate(x{a="b'\\"}[1m])`)}
	}
	return object{"metric": one(d.Rand, "cpu", "memory"), "target": 1 + d.IntN(100)}
}

// graph of the model itself and the one beside it, by any router.
func (d drawer) graph(name string) object {
	router := one(d.Rand, schemas.GraphSequence, schemas.GraphEnsemble, schemas.GraphSplitter, schemas.GraphSwitch)
	first, second := object{"model": name}, object{"model": beside}
	switch router {
	case schemas.GraphSequence:
		second["data"], second["optional"] = one(d.Rand, "request", "response"), true
	case schemas.GraphSplitter:
		first["weight"] = 1 + d.IntN(99)
		second["weight"] = 100 - first["weight"].(int)
	case schemas.GraphSwitch:
		first["condition"], second["condition"] = "instances.#(x>0.5)", "é \"'"
	}
	return object{"router": string(router), "steps": []any{first, second}}
}

func (d drawer) component() any {
	c := object{"image": d.image(), "resources": d.resources(), "args": d.args()}
	d.optional(c, 2, "env", d.env)
	d.optional(c, 2, "replicas", func() any { return object{"min": 1, "max": 1 + d.IntN(3)} })
	return c
}

func (d drawer) image() string {
	return "registry.example.com/team/" + one(d.Rand, "server", "a__b/c-d.e", "tagged:V1_x") + "@sha256:" + strings.Repeat("0123456789abcdef", 4)
}

func (d drawer) args() []string {
	return one(d.Rand, []string{"--threads=2"}, []string{"", "true", "null", "1e3", "$(HOME)", "é\n\t\"'"}, []string{"--a", "b"})
}

func (d drawer) env() any {
	sources := []object{
		{"value": "plain"}, {"value": ""}, {"value": "é\n$(OTHER) \"'"},
		{"valueFrom": object{"secretKeyRef": object{"name": "a.secret-1", "key": ".key_-A"}}},
		{"valueFrom": object{"configMapKeyRef": object{"name": "map", "key": "key", "optional": true}}},
		{"valueFrom": object{"fieldRef": object{"fieldPath": "metadata.labels['app.kubernetes.io/name']"}}},
		{"valueFrom": object{"fieldRef": object{"fieldPath": "status.podIP"}}},
	}
	var env []object
	for i, name := range []string{"A", "b.c-d_E", "_X"}[:1+d.IntN(3)] {
		variable := object{"name": fmt.Sprintf("%s%d", name, i)}
		for k, v := range one(d.Rand, sources...) {
			variable[k] = v
		}
		env = append(env, variable)
	}
	return env
}

// resources fit on a node of every pool, and are written in every way.
func (d drawer) resources() object {
	cpu := one(d.Rand, fmt.Sprintf("%dm", 1+d.IntN(4000)), "1", "0.5", "1e0", "1500e-3", "0.0001", "333333u", ".25")
	memory := one(d.Rand, fmt.Sprintf("%dMi", 16+d.IntN(8000)), "1Gi", "1.1Gi", "2e9", "1073741825", "0.5G", "123456k")
	out := object{"requests": object{"cpu": cpu, "memory": memory}}
	d.optional(out, 2, "limits", func() any {
		return one(d.Rand, object{"cpu": "4"}, object{"memory": "8Gi"}, object{"cpu": "4.0005", "memory": "8.5Gi"})
	})
	return out
}
