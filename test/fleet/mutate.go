package fleet

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// hostile values of every type, most of which some parser somewhere reads in
// another way than the author.
var hostile = []any{
	nil, true, false, "", " ", "true", "null", "~", "0", "-1", "1e400", "NaN", "0x10", "010", "1_000",
	0, 1, -1, 101, 1 << 31, int64(1) << 53, 1.5, 1e300,
	"é", "\u2028", "\x00", "a\nb", "a: b", "{}", "[]", "&a", "*a", "!!str x", "%", "${x}", "../../x", "a/b", "A", "-a", "a-", "a.b", ".",
	"nvidia.com/gpu", "nvidia-t4", "auto", "compute", "gpu", "phi", "spot", "on-demand", "v1", "v2", "grpc-v1", "grpc-v2", "custom", "vllm",
	"kserve-mlserver", "kserve-tritonserver", "no-such-runtime", "1n", "1m", "0.1", "1Ki", "1E", "8192Ei", "15890m", "57Gi", "57.0000000001Gi",
	"metadata.annotations['a']", "metadata.labels['-a/b']", "metadata.labels['a/b/c']", "PYTHONPATH", "STORAGE_URI", "PROTOCOL",
	"s3://a", "pvc://a", "oci://a/b:c", "hf://a", "http://a:99999", "https://-", "arn:aws:iam::000000000000:role/a",
	strings.Repeat("x", 64), strings.Repeat("x", 254), strings.Repeat("x", 5000),
	[]any{}, map[string]any{}, []any{"a", "a"}, []any{map[string]any{"name": "A", "value": "1"}}, map[string]any{"cpu": "1", "memory": "1Gi"},
}

// plausible values of single fields, at the edge of what is allowed or just over it.
var plausible = map[string][]any{
	"cpu":        {"1n", "1u", "0.0005", "0.5m", "1m", "15890m", "15890.5m", "15.9", "1e-3", "2E0", "1Ki", "+1", "0", "7910m", "47810m", 1, 0.1},
	"memory":     {"1", "1m", "0.5", "1.5Gi", "57Gi", "57.00000000001Gi", "61203283969", "1e9", "1E", "1Ki", "29636Mi", "180Gi", 1073741824},
	"min":        {0, 1, 2, 1000, 1001, "1"},
	"max":        {0, 1, 2, 1000, 1001, "1"},
	"count":      {0, 1, 2, 4, 5, 7, 8, 64, 65},
	"target":     {0, 1, 99, 100, 101, 1000, 1<<31 - 1, 1 << 31},
	"metric":     {"cpu", "memory", "concurrency", "rps"},
	"maxLatency": {0, 1, 1<<31 - 1, 1 << 31}, "maxBatchSize": {0, 1, 1<<31 - 1, 1 << 31},
	"timeoutSeconds": {0, 1, 3600, 3601},
	"format":         {"sklearn", "xgboost", "lightgbm", "mlflow", "tensorflow", "pytorch", "onnx", "triton", "huggingface", "vllm", "pmml", "paddle", "custom"},
	"capacity":       {"spot", "on-demand"},
	"protocol":       {"v1", "v2", "grpc-v1", "grpc-v2"},
	"type":           {"nvidia-t4", "nvidia-a10g", "nvidia.com/gpu", "a100-slice", "nvidia.com/mig-1g.5gb", "t4-share", "nvidia.com/gpu.shared"},
	"uri":            {"s3://a", "s3://a//b/../c", "gs://0", "pvc://a/b", "hf://a/b", "oci://a/b@sha256:0", "s3://a/${X}", "s3://a/'\"", "pvc://A_B"},
	"url":            {"http://a", "https://a.b/c", "http://a:0", "http://a:99999", "http://-", "http://a..b", "http://a/%zz"},
	"image":          {"a", "a.b/c:D", "a:1/b", "registry.example.com/a", "registry.example.com/a@sha256:" + strings.Repeat("0", 64)},
	"name":           {"a", "a.b", "A", "_", "a-b", "PATH", "PROTOCOL", "STORAGE_URI", "INFERENCE_SERVICE_NAME", "PORT", "K_SERVICE", strings.Repeat("a", 128)},
	"version":        {"a", "1.", "a-", "A.b_c-", strings.Repeat("a.", 64)},
	"key":            {"a", ".a", "a..b", "-", "_", strings.Repeat("k", 253)},
	"fieldPath": {
		"metadata.name", "metadata.uid", "metadata.labels['a']", "metadata.labels['a/b']", "metadata.labels['-']", "metadata.labels['a//b']",
		"metadata.annotations['A.b/c_D']", "metadata.annotations['" + strings.Repeat("a", 300) + "']", "spec.nodeName", "status.hostIPs",
	},
	"value":              {"$(A)", "$$", strings.Repeat("x", 40000), "\t", "\u200b", "\u0085", "😀"},
	"serviceAccountRole": {"arn:aws:iam::123456789012:role/a", "arn:aws-cn:iam::123456789012:role/" + strings.Repeat("a", 512)},
	"mode":               {"all", "request", "response"},
	"justification":      {strings.Repeat("é", 4000)},
	"dataSensitivity":    {"public", "internal", "confidential", "pii", "phi"},
}

// more is what an author may add to spec.serving.
var more = map[string][]any{
	"pool":     {"auto", "compute", "gpu", "gpu-large", "phi", "mig", "shared"},
	"protocol": {"v1", "v2", "grpc-v1", "grpc-v2"},
	"runtime":  {"kserve-mlserver", "kserve-tritonserver", "kserve-vllmserver", "no-such-runtime", "a.b", strings.Repeat("a.", 100) + "a"},
	"limits":   {map[string]any{"cpu": "9"}, map[string]any{"memory": "64Gi", "cpu": "64"}},
	"accelerator": {
		map[string]any{"type": "nvidia-t4", "count": 1}, map[string]any{"type": "nvidia.com/gpu", "count": 4}, map[string]any{"type": "t4-share", "count": 2},
	},
	"env": {[]any{map[string]any{"name": "a", "value": "1"}, map[string]any{"name": "A", "value": "2"}}},
}

// likelier is a plausible change than a hostile one, by so much.
const likelier = 12

// Mutate returns a copy of a manifest with up to three things of it changed in a
// way that nobody meant: values replaced, fields left out, lists grown.
func Mutate(r *rand.Rand, manifest map[string]any) map[string]any {
	out := clone(manifest).(map[string]any)
	for range 1 + r.IntN(3) {
		switch all := places(out); {
		case r.IntN(4) == 0:
			add(r, out)
		default:
			all[r.IntN(len(all))](r)
		}
	}
	return out
}

// add writes a field of spec.serving that the author left out, if there is such a mapping still.
func add(r *rand.Rand, manifest map[string]any) {
	spec, _ := manifest["spec"].(map[string]any)
	serving, ok := spec["serving"].(map[string]any)
	if !ok {
		return
	}
	key := one(r, slices.Sorted(maps.Keys(more))...)
	serving[key] = clone(one(r, more[key]...))
}

// places are the ways to change a tree at one place, but for the identity of the
// manifest, by which the test finds it again.
func places(tree any) []func(*rand.Rand) {
	var out []func(*rand.Rand)
	switch node := tree.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(node)) {
			// The identity stays, and most of what only the loader reads.
			if key == "team" || key == "environment" || key == "metadata" || key == "apiVersion" || key == "kind" {
				continue
			}
			out = append(out, func(r *rand.Rand) {
				if r.IntN(5) == 0 {
					delete(node, key)
					return
				}
				node[key] = clone(one(r, hostile...))
			})
			if values := plausible[key]; values != nil {
				for range likelier {
					out = append(out, func(r *rand.Rand) { node[key] = clone(one(r, values...)) })
				}
			}
			out = append(out, places(node[key])...)
		}
	case []any:
		for i := range node {
			out = append(out, func(r *rand.Rand) { node[i] = clone(one(r, hostile...)) })
			out = append(out, places(node[i])...)
		}
	}
	return out
}

// clone copies a tree, with every slice as []any.
func clone(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range node {
			out[key] = clone(value)
		}
		return out
	case []any:
		return cloneAll(node)
	case []map[string]any:
		return cloneAll(node)
	case []string:
		return cloneAll(node)
	case []int:
		return cloneAll(node)
	case string, bool, int, int64, float64, nil:
		return node
	default:
		panic(fmt.Sprintf("fleet: a manifest holds no %T", tree))
	}
}

func cloneAll[T any](list []T) []any {
	out := make([]any, len(list))
	for i, value := range list {
		out[i] = clone(value)
	}
	return out
}
