package render

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mlops-platform/mooring/schemas"
)

// The names of KServe's components, which are also their pods' label values.
const (
	componentPredictor   = "predictor"
	componentTransformer = "transformer"
	componentExplainer   = "explainer"
)

// annotationRole is how EKS gives a ServiceAccount an IAM role (IRSA). The
// token for it is projected by EKS' webhook, whatever automountServiceAccountToken says.
const annotationRole = "eks.amazonaws.com/role-arn"

// The environment variables by which KServe learns of a custom container what a
// model's own fields say of it.
const (
	envStorageURI = "STORAGE_URI"
	envProtocol   = "PROTOCOL"
)

func (r *modelRenderer) serviceAccount() object {
	meta := r.meta(ServiceAccountName(r.name))
	if role := r.Deployment.Spec.Serving.ServiceAccountRole; role != "" {
		meta.Annotations = map[string]string{annotationRole: role}
	}
	// A model talks to no API server.
	return object{APIVersion: "v1", Kind: "ServiceAccount", Metadata: meta, AutomountToken: ptr(false)}
}

// disruptionBudgets let a drained node take one replica at a time. KServe makes
// none itself. A component that may run a single replica gets none: its budget
// would either forbid every drain or mean nothing.
func (r *modelRenderer) disruptionBudgets() []object {
	var out []object
	for _, c := range r.components() {
		if c.replicas.Low() >= 2 {
			out = append(out, disruptionBudget(r.meta(r.name+"-"+c.name), podLabels(r.name, c.name)))
		}
	}
	return out
}

// component is what predictor, transformer and explainer differ in.
type component struct {
	name        string
	replicas    schemas.Replicas
	placement   Placement
	accelerator *schemas.Accelerator
	autoscaling *schemas.Autoscaling
	// custom is the component's own container; nil for a predictor that a
	// serving runtime runs.
	custom    *schemas.Container
	resources schemas.Resources
}

// components lists the model's components, the predictor first.
func (r *modelRenderer) components() []component {
	s := r.Deployment.Spec.Serving
	out := []component{{
		name: componentPredictor, replicas: r.replicas(s.Replicas), placement: *r.Predictor, accelerator: s.Accelerator,
		autoscaling: s.Autoscaling, custom: s.Container, resources: s.Resources,
	}}
	beside := func(name string, c *schemas.Component, p *Placement) {
		if c != nil {
			out = append(out, component{
				name: name, replicas: r.replicas(c.Replicas), placement: *p, resources: c.Resources,
				custom: &schemas.Container{Image: c.Image, Args: r.besideArgs(c.Args), Env: c.Env},
			})
		}
	}
	beside(componentTransformer, s.Transformer, r.Transformer)
	beside(componentExplainer, s.Explainer, r.Explainer)
	return out
}

func (r *modelRenderer) inferenceService() (object, error) {
	var spec inferenceServiceSpec
	for _, c := range r.components() {
		if c.name == componentPredictor {
			predictor, err := r.predictor(c)
			if err != nil {
				return object{}, err
			}
			spec.Predictor = predictor
			continue
		}
		rendered, err := r.customComponent(c)
		if err != nil {
			return object{}, err
		}
		if c.name == componentTransformer {
			spec.Transformer = &rendered
		} else {
			spec.Explainer = &rendered
		}
	}
	meta := r.meta(r.name)
	meta.Annotations = r.annotations()
	return object{APIVersion: kserveAPIVersion, Kind: kserveKind, Metadata: meta, Spec: spec}, nil
}

// annotations say how KServe runs the service. The mode cannot change after the
// first status, so it is always written, never left to a default that may move.
func (r *modelRenderer) annotations() map[string]string {
	out := map[string]string{annotationDeploymentMode: r.mode()}
	if !r.knative() {
		out[annotationAutoscalerClass] = r.autoscalerClass()
	}
	if r.runtime.format != "" {
		out[annotationModelFormat] = r.runtime.format
	}
	return out
}

// mode is the environment's, by the name that its release has for it.
func (r *modelRenderer) mode() string {
	switch {
	case r.release.AtLeast(schemas.KServeModeNames):
		return string(r.Environment.Spec.KServe.Mode)
	case r.knative():
		return "Serverless"
	default:
		return "RawDeployment"
	}
}

// autoscalerClass says who scales the service's components. The class holds for
// the whole service; a component of fixed size in a service that scales gets an
// autoscaler whose bounds are equal. "none" makes no autoscaler at all; releases
// that do not know it take hpa with equal bounds for the same effect.
func (r *modelRenderer) autoscalerClass() string {
	if a := r.Deployment.Spec.Serving.Autoscaling; a != nil {
		switch a.Metric {
		case schemas.ScalePrometheus:
			return classKEDA
		case schemas.ScaleExternal:
			return classExternal
		}
	}
	scales := slices.ContainsFunc(r.components(), func(c component) bool { return c.replicas.Low() < c.replicas.High() })
	if scales || !r.release.AtLeast(schemas.KServeAutoscaling) {
		return classHPA
	}
	return classNone
}

func (r *modelRenderer) predictor(c component) (predictorSpec, error) {
	s := r.Deployment.Spec.Serving
	spec, err := r.componentSpec(c)
	if err != nil {
		return predictorSpec{}, err
	}
	if b := s.Batcher; b != nil {
		spec.Batcher = &batcherSpec{MaxBatchSize: b.MaxBatchSize, MaxLatency: b.MaxLatency}
	}
	if l := s.Logger; l != nil {
		spec.Logger = &loggerSpec{URL: l.URL, Mode: string(l.Mode)}
	}
	main, err := r.container(c)
	if err != nil {
		return predictorSpec{}, err
	}
	if c.custom != nil {
		main.Env = append(main.Env, envVars(s.Env)...)
		main.Env = append(main.Env, r.customEnv()...)
		spec.Containers = []container{main}
		return predictorSpec{componentSpec: spec}, nil
	}
	main.Args = slices.Concat(r.runtime.args, r.nameArgs())
	main.Env = append(envVars(s.Env), r.nameEnv()...)
	main.Ports = grpcPorts(r.runtime.grpcPort)
	return predictorSpec{componentSpec: spec, Model: &modelSpec{
		ModelFormat:     modelFormat{Name: r.runtime.format},
		Runtime:         r.runtime.runtime,
		ProtocolVersion: string(r.runtime.protocol),
		StorageURI:      r.StorageURI,
		container:       main,
	}}, nil
}

// customEnv tells KServe about a custom container. The artefact is fetched only
// where the manifest names it: many such images carry their model in them, and
// a fetch from the default place would fail.
func (r *modelRenderer) customEnv() []corev1.EnvVar {
	var out []corev1.EnvVar
	if r.Deployment.Spec.Model.URI != "" {
		out = append(out, corev1.EnvVar{Name: envStorageURI, Value: r.StorageURI})
	}
	if p := r.Deployment.Spec.Serving.Protocol; p != "" {
		out = append(out, corev1.EnvVar{Name: envProtocol, Value: string(p)})
	}
	return out
}

func (r *modelRenderer) customComponent(c component) (componentSpec, error) {
	spec, err := r.componentSpec(c)
	if err != nil {
		return componentSpec{}, err
	}
	main, err := r.container(c)
	if err != nil {
		return componentSpec{}, err
	}
	spec.Containers = []container{main}
	return spec, nil
}

// componentSpec is everything of a component but its container.
func (r *modelRenderer) componentSpec(c component) (componentSpec, error) {
	low, high := c.replicas.Low(), c.replicas.High()
	// KServe and Knative both read a maximum of 0 as "no maximum".
	if low < 0 || high < max(low, 1) {
		return componentSpec{}, fmt.Errorf("%s: replicas from %d to %d are no range", c.name, low, high)
	}
	spec := componentSpec{
		MinReplicas: &low,
		MaxReplicas: high,
		// Of every component: who asks a transformer waits for it, and KServe's
		// routes and Knative's revisions go by the time of the one that is asked.
		Timeout:                      r.Deployment.Spec.Serving.TimeoutSeconds,
		ServiceAccountName:           ServiceAccountName(r.name),
		AutomountServiceAccountToken: ptr(false),
		Affinity:                     affinity(c.placement, high, podLabels(r.name, c.name)),
		Tolerations:                  tolerations(c.placement),
	}
	if r.Canary != nil && r.knative() {
		// On every component, so that no new part takes all of the traffic at once.
		spec.CanaryTrafficPercent = ptr(int64(r.Canary.Percent))
	}
	r.scale(c, &spec)
	if sharesMemory(c.accelerator) {
		spec.Volumes = []volume{{Name: sharedMemory, EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}}
	}
	if high >= 2 {
		spec.TopologySpreadConstraints = spread(r.name, c.name)
	}
	if r.knative() {
		// Knative's webhook refuses a pod's security context (unless switched on)
		// and grace period; the container's own security context holds in both
		// modes. It also refuses affinity, tolerations and spread constraints
		// until config-features allows them: there is no placement without.
		return spec, nil
	}
	spec.SecurityContext = podSecurity()
	if c.placement.Capacity == schemas.CapacitySpot {
		spec.TerminationGracePeriodSeconds = ptr[int64](spotGraceSeconds)
	}
	spec.DeploymentStrategy = r.strategy(c)
	return spec, nil
}

// strategy keeps a rollout of several GPU replicas within the GPUs they have. All
// others keep Kubernetes' way, which starts a replica before it ends one: policy
// warns where the quota has no room for that.
func (r *modelRenderer) strategy(c component) *appsv1.DeploymentStrategy {
	if !c.accelerator.RollsInPlace(c.replicas.Low(), r.release) {
		return nil
	}
	return &appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxUnavailable: ptr(intstr.FromInt32(1)),
			MaxSurge:       ptr(intstr.FromInt32(0)),
		},
	}
}

// container is the component's serving container. That of a serving runtime has
// neither name nor image: KServe takes them from the runtime and refuses a name.
func (r *modelRenderer) container(c component) (container, error) {
	resources, err := requirements(c.resources, c.accelerator, c.placement.Pool)
	if err != nil {
		return container{}, fmt.Errorf("%s: %w", c.name, err)
	}
	out := container{Resources: resources, SecurityContext: containerSecurity()}
	if sharesMemory(c.accelerator) {
		out.VolumeMounts = []corev1.VolumeMount{{Name: sharedMemory, MountPath: "/dev/shm"}}
	}
	if c.placement.Capacity == schemas.CapacitySpot && !r.knative() {
		out.Lifecycle = drain()
	}
	if c.custom != nil {
		out.Name, out.Image, out.Args, out.Env = servingContainer, c.custom.Image, c.custom.Args, envVars(c.custom.Env)
	}
	return out, nil
}
