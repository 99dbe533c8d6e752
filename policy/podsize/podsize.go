package podsize

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

// Size is what a pod requests.
type Size struct {
	CPU, Memory resource.Quantity
}

// What KServe's containers request in its stock configuration, which is the same
// in every release (ConfigMap inferenceservice-config: agent, storageInitializer,
// cpuModelcar and memoryModelcar). The zero value of a Size requests nothing.
var (
	agent       = Size{resource.MustParse("100m"), resource.MustParse("100Mi")}
	initializer = Size{resource.MustParse("100m"), resource.MustParse("100Mi")}
	modelcar    = Size{resource.MustParse("10m"), resource.MustParse("15Mi")}
	// Knative's default, and for memory, of which it asks none, what the LimitRange
	// of a team's namespace gives to every container.
	queueProxy = Size{resource.MustParse("25m"), resource.MustParse("100Mi")}
)

// Beside names the containers that KServe and Knative put into a pod beside the
// one that serves. The zero value is none.
type Beside struct {
	// Agent batches requests and logs payloads. It runs as long as the model does.
	Agent bool
	// Initializer fetches the artefact and ends before the model starts.
	Initializer bool
	// Modelcar holds an artefact that is an image.
	Modelcar bool
	// QueueProxy stands before every server that Knative runs.
	QueueProxy bool
}

// Of tells what stands beside any server of the environment.
func Of(env schemas.EnvironmentSpec) Beside {
	return Beside{QueueProxy: env.KServe.Mode == schemas.ModeKnative}
}

// OfPredictor tells what stands beside a manifest's predictor. A custom
// container has its artefact fetched only where the manifest names it.
func OfPredictor(env schemas.EnvironmentSpec, spec schemas.ModelDeploymentSpec) Beside {
	b := Of(env)
	b.Agent = spec.Serving.Batcher != nil || spec.Serving.Logger != nil
	uri := spec.Model.URI
	if uri == "" && spec.Model.Format != schemas.FormatCustom {
		uri = env.ArtifactURI(spec.Governance.DataSensitivity, spec.Model.Name, spec.Model.Version)
	}
	switch scheme, _, _ := strings.Cut(uri, "://"); {
	case uri == "":
	case scheme == "oci":
		b.Modelcar = true
	default:
		b.Initializer = scheme != "pvc" || !mountsVolumes(env.KServe)
	}
	return b
}

// mountsVolumes reports whether KServe mounts a volume that holds the artefact
// straight into the server, rather than have it copied. A version that cannot be
// read is a finding of the environment.
func mountsVolumes(k schemas.KServe) bool {
	release, err := schemas.ParseKServeVersion(k.Version)
	return err == nil && release.AtLeast(schemas.KServeMountsVolumes)
}

// Pod is what a pod requests whose serving container has the given requests:
// the sum of the containers that run together, or what the one that runs before
// them requests, if that is more.
//
// Every container's request counts in whole thousandths, rounded up, because the
// API server stores it so. A request that is missing counts as none.
func (b Beside) Pod(requests schemas.ResourceList) Size {
	size := Size{Stored(requests.CPU), Stored(requests.Memory)}
	for _, one := range []struct {
		there bool
		size  Size
	}{{b.Agent, agent}, {b.Modelcar, modelcar}, {b.QueueProxy, queueProxy}} {
		if one.there {
			size.CPU.Add(one.size.CPU)
			size.Memory.Add(one.size.Memory)
		}
	}
	if b.Initializer {
		size.CPU = larger(size.CPU, initializer.CPU)
		size.Memory = larger(size.Memory, initializer.Memory)
	}
	return size
}

// Stored is a copy of a quantity as the API server stores it in a resource list.
func Stored(q *resource.Quantity) resource.Quantity {
	if q == nil {
		return resource.Quantity{}
	}
	stored := q.DeepCopy()
	stored.RoundUp(resource.Milli)
	return stored
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return b.DeepCopy()
	}
	return a
}
