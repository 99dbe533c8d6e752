package render

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The subset of serving.kserve.io/v1beta1 that Mooring writes. A field of this
// file exists in KServe's CRD (the tests check each rendered object against it)
// and never belongs to an autoscaler or to KServe's controller.

const (
	kserveAPIVersion = "serving.kserve.io/v1beta1"
	kserveKind       = "InferenceService"

	annotationDeploymentMode  = "serving.kserve.io/deploymentMode"
	annotationAutoscalerClass = "serving.kserve.io/autoscalerClass"
	// annotationModelFormat has no domain in KServe either. Its webhook fills it
	// in once and then never again, so it would be wrong after the format
	// changes; written here, it follows the manifest.
	annotationModelFormat = "modelFormat"

	// The values of annotationAutoscalerClass.
	classHPA      = "hpa"
	classNone     = "none"
	classKEDA     = "keda"
	classExternal = "external"

	// KServe puts these two labels on the pods of a component, in both modes and
	// in every release since 0.11.
	podLabelService   = "serving.kserve.io/inferenceservice"
	podLabelComponent = "component"

	// servingContainer is the name KServe gives to, and expects of, the container
	// that serves.
	servingContainer = "kserve-container"
)

type inferenceServiceSpec struct {
	Predictor   predictorSpec  `json:"predictor"`
	Transformer *componentSpec `json:"transformer,omitempty"`
	Explainer   *componentSpec `json:"explainer,omitempty"`
}

type predictorSpec struct {
	componentSpec `json:",inline"`
	Model         *modelSpec `json:"model,omitempty"`
}

// componentSpec is what predictor, transformer and explainer have in common:
// KServe's ComponentExtensionSpec and the part of PodSpec that we write.
type componentSpec struct {
	MinReplicas          *int32                     `json:"minReplicas,omitempty"`
	MaxReplicas          int32                      `json:"maxReplicas,omitempty"`
	ScaleMetric          string                     `json:"scaleMetric,omitempty"`
	ScaleTarget          *int32                     `json:"scaleTarget,omitempty"`
	AutoScaling          *autoScaling               `json:"autoScaling,omitempty"`
	Timeout              *int64                     `json:"timeout,omitempty"`
	CanaryTrafficPercent *int64                     `json:"canaryTrafficPercent,omitempty"`
	Batcher              *batcherSpec               `json:"batcher,omitempty"`
	Logger               *loggerSpec                `json:"logger,omitempty"`
	DeploymentStrategy   *appsv1.DeploymentStrategy `json:"deploymentStrategy,omitempty"`

	ServiceAccountName            string                            `json:"serviceAccountName,omitempty"`
	AutomountServiceAccountToken  *bool                             `json:"automountServiceAccountToken,omitempty"`
	SecurityContext               *corev1.PodSecurityContext        `json:"securityContext,omitempty"`
	TerminationGracePeriodSeconds *int64                            `json:"terminationGracePeriodSeconds,omitempty"`
	Affinity                      *corev1.Affinity                  `json:"affinity,omitempty"`
	Tolerations                   []corev1.Toleration               `json:"tolerations,omitempty"`
	TopologySpreadConstraints     []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	Volumes                       []volume                          `json:"volumes,omitempty"`
	Containers                    []container                       `json:"containers,omitempty"`
}

// modelSpec asks a serving runtime to serve an artefact. It inlines a container
// whose name must stay empty.
type modelSpec struct {
	ModelFormat     modelFormat `json:"modelFormat"`
	Runtime         string      `json:"runtime,omitempty"`
	ProtocolVersion string      `json:"protocolVersion,omitempty"`
	StorageURI      string      `json:"storageUri,omitempty"`
	container       `json:",inline"`
}

type modelFormat struct {
	Name string `json:"name"`
}

type container struct {
	Name            string                      `json:"name,omitempty"`
	Image           string                      `json:"image,omitempty"`
	Args            []string                    `json:"args,omitempty"`
	Env             []corev1.EnvVar             `json:"env,omitempty"`
	Ports           []corev1.ContainerPort      `json:"ports,omitempty"`
	Resources       corev1.ResourceRequirements `json:"resources"`
	VolumeMounts    []corev1.VolumeMount        `json:"volumeMounts,omitempty"`
	Lifecycle       *corev1.Lifecycle           `json:"lifecycle,omitempty"`
	SecurityContext *corev1.SecurityContext     `json:"securityContext,omitempty"`
}

type batcherSpec struct {
	MaxBatchSize int32 `json:"maxBatchSize"`
	MaxLatency   int32 `json:"maxLatency"`
}

type loggerSpec struct {
	URL  string `json:"url"`
	Mode string `json:"mode"`
}

type volume struct {
	Name     string                       `json:"name"`
	EmptyDir *corev1.EmptyDirVolumeSource `json:"emptyDir"`
}

// autoScaling is what KEDA is told; an HPA of KServe's has older fields.
type autoScaling struct {
	Metrics []metricSpec `json:"metrics"`
}

type metricSpec struct {
	Type     string          `json:"type"`
	Resource *resourceMetric `json:"resource,omitempty"`
	External *externalMetric `json:"external,omitempty"`
}

type resourceMetric struct {
	Name   string       `json:"name"`
	Target metricTarget `json:"target"`
}

type externalMetric struct {
	Metric metricQuery  `json:"metric"`
	Target metricTarget `json:"target"`
}

type metricQuery struct {
	Backend       string `json:"backend"`
	ServerAddress string `json:"serverAddress"`
	Query         string `json:"query"`
}

type metricTarget struct {
	Type               string `json:"type"`
	Value              string `json:"value,omitempty"`
	AverageUtilization *int32 `json:"averageUtilization,omitempty"`
}
