package render

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/mlops-platform/mooring/schemas"
)

// servingRuntime is what selection reads of KServe's ClusterServingRuntime.
type servingRuntime struct {
	Metadata struct{ Name string }
	Spec     struct {
		Annotations           map[string]string
		SupportedModelFormats []struct {
			Name       string
			AutoSelect bool
			Priority   *int
		}
		ProtocolVersions []string
		WorkerSpec       map[string]any
		Containers       []struct {
			Args            []string
			Ports           []any
			SecurityContext struct{ RunAsNonRoot *bool }
		}
	}
}

// installedRuntimes are those that a release's kustomization installs, without
// the ones for several nodes, which serve only who asks for workers.
func installedRuntimes(t *testing.T, dir string) []servingRuntime {
	t.Helper()
	var kustomization struct{ Resources []string }
	read := func(name string, into any) {
		data, err := os.ReadFile(filepath.Join(dir, "runtimes", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	read("kustomization.yaml", &kustomization)
	var out []servingRuntime
	for _, file := range kustomization.Resources {
		var r servingRuntime
		if read(file, &r); r.Spec.WorkerSpec == nil {
			out = append(out, r)
		}
	}
	return out
}

// releaseDir is the folder "config" of a release of KServe: the one that
// tools/kserve names, or another fetched from the module proxy.
func releaseDir(t *testing.T, version string) string {
	t.Helper()
	if version == "0.20.0" {
		kserveFile(t, "runtimes/kserve-mlserver.yaml")
		return kserveDir()
	}
	download := exec.Command("go", "mod", "download", "-json", "github.com/kserve/kserve@v"+version)
	download.Dir = t.TempDir()
	out, err := download.Output()
	var module struct{ Dir string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	switch {
	case err == nil && module.Dir != "":
		return filepath.Join(module.Dir, "config")
	case os.Getenv("CI") == "true":
		t.Fatalf("KServe %s cannot be fetched: %v %s", version, err, out)
	default:
		t.Skipf("KServe %s cannot be fetched: %v %s", version, err, out)
	}
	return ""
}

// serves reports whether KServe would let a runtime serve a format by a protocol,
// and with which priority; the rules are those of its GetSupportingRuntimes.
func (r servingRuntime) serves(format string, protocol schemas.Protocol, named bool) (priority int, ok bool) {
	if len(r.Spec.ProtocolVersions) > 0 && !slices.Contains(r.Spec.ProtocolVersions, string(protocol)) {
		return 0, false
	}
	for _, f := range r.Spec.SupportedModelFormats {
		if f.Name == format && (f.AutoSelect || named) {
			if f.Priority != nil {
				priority = max(priority, *f.Priority)
			}
			ok = true
		}
	}
	return priority, ok
}

var allProtocols = []schemas.Protocol{schemas.ProtocolV1, schemas.ProtocolV2, schemas.ProtocolGRPCV1, schemas.ProtocolGRPCV2}

// What `validate` accepts finds a runtime in the release that the environment
// names, and what it refuses would find none.
func TestAStockRuntimeServesWhateverIsAccepted(t *testing.T) {
	for _, version := range []string{"0.11.2", "0.12.1", "0.13.1", "0.15.2", "0.20.0"} {
		t.Run(version, func(t *testing.T) {
			runtimes := installedRuntimes(t, releaseDir(t, version))
			release, err := schemas.ParseKServeVersion(version)
			if err != nil {
				t.Fatal(err)
			}
			for _, format := range schemas.ModelFormats {
				for _, protocol := range allProtocols {
					judge(t, runtimes, release, format, protocol)
				}
			}
		})
	}
}

func judge(t *testing.T, runtimes []servingRuntime, release schemas.KServeVersion, format schemas.ModelFormat, protocol schemas.Protocol) {
	t.Helper()
	if format == schemas.FormatCustom {
		return
	}
	spec := schemas.ModelDeploymentSpec{
		Model: schemas.Model{Format: format}, Serving: schemas.Serving{Protocol: protocol},
	}
	accepted := schemas.RuntimeFault(spec, release) == ""
	best, chosen := -1, servingRuntime{}
	for _, r := range runtimes {
		if priority, ok := r.serves(format.KServeName(), protocol, false); ok && priority > best {
			best, chosen = priority, r
		}
	}
	// The Hugging Face runtime of 0.12 knows no vLLM, and its flags are others.
	young := format.KServeName() == "huggingface" && !release.AtLeast(schemas.KServeHuggingFace)
	if accepted != (best >= 0) && !young || young && accepted {
		t.Errorf("%s over %s: accepted %t, and KServe chooses %q", format, protocol, accepted, chosen.Metadata.Name)
	}
	if stock := schemas.StockRuntime(format, protocol, "", release); accepted && stock.Name != chosen.Metadata.Name {
		t.Errorf("%s over %s: KServe chooses %s, not %s", format, protocol, chosen.Metadata.Name, stock.Name)
	}
	if user := chosen.Spec.Containers; accepted && release.AtLeast(schemas.KServeVersion{Minor: 14}) &&
		(user[0].SecurityContext.RunAsNonRoot == nil || !*user[0].SecurityContext.RunAsNonRoot) {
		t.Errorf("%s over %s: %s runs as root", format, protocol, chosen.Metadata.Name)
	}
	for _, r := range runtimes {
		spec.Serving.Runtime = r.Metadata.Name
		if _, ok := r.serves(format.KServeName(), protocol, true); !ok && schemas.StockRuntime(format, protocol, r.Metadata.Name, release) != nil {
			t.Errorf("%s over %s: %s is taken to serve it, and does not", format, protocol, r.Metadata.Name)
		} else if ok && !young && r.Metadata.Name != schemas.RuntimeVLLM && schemas.RuntimeFault(spec, release) != "" {
			t.Errorf("%s over %s: %s serves it, and is refused", format, protocol, r.Metadata.Name)
		}
	}
}

// A server that is told the model's name by an argument of its runtime takes
// ours after it; one that has no such argument must not be given one.
func TestServersAreToldTheModelsNameAsTheirRuntimesDo(t *testing.T) {
	release := schemas.KServeVersion{Minor: 20}
	for _, r := range installedRuntimes(t, releaseDir(t, "0.20.0")) {
		byArgument := slices.ContainsFunc(r.Spec.Containers[0].Args, func(a string) bool { return strings.HasPrefix(a, argModelName+"=") })
		for _, format := range schemas.ModelFormats {
			for _, protocol := range allProtocols {
				if stock := schemas.StockRuntime(format, protocol, r.Metadata.Name, release); stock != nil && (stock.Naming == schemas.NamedByArgument) != byArgument {
					t.Errorf("%s: --model_name is among its arguments: %t", r.Metadata.Name, byArgument)
				}
			}
		}
	}
}

func TestAModelOnAGPUGetsARuntimeThatUsesIt(t *testing.T) {
	for _, c := range []struct {
		format   schemas.ModelFormat
		protocol schemas.Protocol
		want     any
	}{
		{schemas.FormatONNX, "", schemas.RuntimeTriton},
		{schemas.FormatTensorFlow, "", schemas.RuntimeTensorFlow},
		{schemas.FormatTensorFlow, schemas.ProtocolV2, schemas.RuntimeTriton},
		{schemas.FormatPyTorch, "", nil},
	} {
		in := churn()
		in.Deployment.Spec.Model.Format = c.format
		in.Deployment.Spec.Serving.Protocol = c.protocol
		in.Deployment.Spec.Serving.Accelerator = &schemas.Accelerator{Type: "nvidia-t4", Count: 1}
		in.Predictor = &Placement{Pool: gpuPool, Capacity: schemas.CapacityOnDemand}
		if got := field(t, find(t, mustModel(t, in), kserveKind), "spec", "predictor", "model", "runtime"); got != c.want {
			t.Errorf("%s over %s: the runtime is %v, want %v", c.format, c.protocol, got, c.want)
		}
	}
}

// A model that speaks gRPC is asked on the port on which its runtime's server
// does: KServe's Service leads to the first port of the container, which no stock
// runtime has. TorchServe's is in no runtime's arguments.
func TestGRPCIsAskedOfThePortWhereTheServerSpeaksIt(t *testing.T) {
	for _, version := range []string{"0.11.2", "0.15.2", "0.20.0"} {
		release, err := schemas.ParseKServeVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range installedRuntimes(t, releaseDir(t, version)) {
			server := r.Spec.Containers[0]
			for _, protocol := range []schemas.Protocol{schemas.ProtocolGRPCV1, schemas.ProtocolGRPCV2} {
				for _, format := range schemas.ModelFormats {
					stock := schemas.StockRuntime(format, protocol, r.Metadata.Name, release)
					if stock == nil {
						continue
					}
					says := func(flag string) bool {
						return slices.Contains(server.Args, fmt.Sprintf("--%s=%d", flag, stock.GRPCPort))
					}
					if len(server.Ports) > 0 || stock.GRPCPort == 0 || !says("port") && !says("grpc-port") && format != schemas.FormatPyTorch {
						t.Errorf("KServe %s, %s over %s: port %d, and %s has the arguments %v and the ports %v",
							version, format, protocol, stock.GRPCPort, r.Metadata.Name, server.Args, server.Ports)
					}
				}
			}
		}
	}
}

func TestOnlyModelsThatSpeakGRPCHaveAPortForIt(t *testing.T) {
	port := func(n int64) any {
		return []any{map[string]any{"name": "h2c", "containerPort": n, "protocol": "TCP"}}
	}
	for _, c := range []struct {
		format         schemas.ModelFormat
		protocol       schemas.Protocol
		runtime        string
		release        string
		want, pinnedTo any
	}{
		{schemas.FormatTriton, schemas.ProtocolGRPCV2, "", "0.20", port(9000), schemas.RuntimeTriton},
		{schemas.FormatONNX, schemas.ProtocolGRPCV2, "", "0.20", port(9000), schemas.RuntimeTriton},
		{schemas.FormatTensorFlow, schemas.ProtocolGRPCV1, "", "0.20", port(9000), schemas.RuntimeTensorFlow},
		{schemas.FormatPyTorch, schemas.ProtocolGRPCV2, "", "0.20", port(8081), "kserve-torchserve"},
		{schemas.FormatPyTorch, schemas.ProtocolGRPCV1, "", "0.11", port(7070), "kserve-torchserve"},
		{schemas.FormatPyTorch, schemas.ProtocolGRPCV2, schemas.RuntimeTriton, "0.20", port(9000), schemas.RuntimeTriton},
		{schemas.FormatTriton, schemas.ProtocolV2, "", "0.20", nil, nil},
		{schemas.FormatTensorFlow, "", "", "0.20", nil, nil},
		{schemas.FormatSKLearn, schemas.ProtocolGRPCV2, "ours", "0.20", nil, "ours"},
	} {
		in := churn()
		in.Environment.Spec.KServe.Version = c.release
		in.Deployment.Spec.Model.Format = c.format
		in.Deployment.Spec.Serving.Protocol, in.Deployment.Spec.Serving.Runtime = c.protocol, c.runtime
		service := find(t, mustModel(t, in), kserveKind)
		if got := field(t, service, "spec", "predictor", "model", "ports"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s over %s on %q: ports %v, want %v", c.format, c.protocol, c.runtime, got, c.want)
		}
		if got := field(t, service, "spec", "predictor", "model", "runtime"); got != c.pinnedTo {
			t.Errorf("%s over %s on %q: the runtime is %v, want %v", c.format, c.protocol, c.runtime, got, c.pinnedTo)
		}
	}
}
