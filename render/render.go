package render

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// ModelInput is everything that the objects of one model depend on.
type ModelInput struct {
	// Repository names the model repository, such as "acme/models".
	Repository  string
	Deployment  *schemas.ModelDeployment
	Team        *schemas.Team
	Environment *schemas.Environment
	// Predictor is where policy placed the predictor; Transformer and Explainer
	// are nil exactly where the manifest has none.
	Predictor, Transformer, Explainer *Placement
	// Router is where the graph's router runs; nil exactly where the manifest has
	// no graph.
	Router *Placement
	// Version is resolved: model.version, or what its alias stands for.
	Version string
	// StorageURI is resolved; see the function StorageURI.
	StorageURI string
	Level      schemas.RiskLevel
	// Canary is a rollout under way; nil: the version serves alone.
	Canary *Canary
}

// Placement is the pool that a component runs on and how its nodes are bought.
type Placement struct {
	Pool     schemas.Pool
	Capacity schemas.Capacity
}

// Model renders one model: its ServiceAccount, a NetworkPolicy where it talks to
// more than every model, a PodDisruptionBudget for each component that always has
// two replicas or more, its InferenceService, where the environment has a gateway
// its route, and where it has observability a PodMonitor, a PrometheusRule and a
// dashboard, in the order in which they are to be applied. The namespace and its
// limits are the tenancy's (see Tenancy).
//
// In a rollout by canary, Knative splits the traffic between its revisions. In
// Standard mode KServe ignores the percentage in silence, so there the canary is
// a second InferenceService with a weight on the route.
func Model(in ModelInput) ([]*unstructured.Unstructured, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("render %s: %w", in.subject(), err)
	}
	r, err := newModelRenderer(in)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", in.subject(), err)
	}
	objects, err := r.objects()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", in.subject(), err)
	}
	return toUnstructured(objects)
}

// check refuses input that no valid manifest yields, so that a mistake of the
// caller is an error here and not a pod on the wrong nodes.
func (in ModelInput) check() error {
	if in.Deployment == nil || in.Team == nil || in.Environment == nil {
		return errors.New("the manifest, the team and the environment are all needed")
	}
	serving := in.Deployment.Spec.Serving
	switch {
	case in.Predictor == nil:
		return errors.New("the predictor has no placement")
	case (in.Transformer == nil) != (serving.Transformer == nil):
		return errors.New("a transformer and its placement go together")
	case (in.Explainer == nil) != (serving.Explainer == nil):
		return errors.New("an explainer and its placement go together")
	case (in.Router == nil) != (serving.Graph == nil):
		return errors.New("a graph and its placement go together")
	case in.Version == "":
		return errors.New("the model's version is not resolved")
	case in.StorageURI == "" && in.Deployment.Spec.Model.Format != schemas.FormatCustom:
		return errors.New("the artefact's URI is not resolved")
	}
	if a := serving.Autoscaling; a != nil && a.Metric == schemas.ScalePrometheus && in.Environment.Spec.KServe.KEDA == nil {
		return errors.New("the environment has no KEDA to scale on a query")
	}
	if in.Canary != nil {
		return in.Canary.check(in)
	}
	return nil
}

// namespace is where the model's objects are.
func (in ModelInput) namespace() string {
	s := in.Deployment.Spec
	return in.Environment.Spec.NamespaceOf(s.Team, in.Environment.Metadata.Name, s.Governance.DataSensitivity)
}

func (in ModelInput) subject() string {
	if in.Deployment == nil {
		return "a model"
	}
	s := in.Deployment.Spec
	return schemas.Unit{Team: s.Team, Model: in.Deployment.Metadata.Name, Environment: s.Environment}.String()
}

// StorageURI is where a version's artefact lies when no registry is asked: the
// manifest's own URI, else the environment's template, else the platform's.
func StorageURI(env *schemas.Environment, spec schemas.ModelDeploymentSpec, version string) string {
	if spec.Model.URI != "" {
		return spec.Model.URI
	}
	return env.Spec.ArtifactURI(spec.Governance.DataSensitivity, spec.Model.Name, version)
}

// ServiceAccountName is the account that a model's pods run as. The prefix keeps
// a model called "default" away from the namespace's own account, and lets an
// IAM trust policy name all models of a namespace ("model-*").
func ServiceAccountName(model string) string { return "model-" + model }

// modelRenderer holds what several objects of one model share.
type modelRenderer struct {
	ModelInput
	name      string
	namespace string
	labels    map[string]string
	release   schemas.KServeVersion
	runtime   runtimeChoice
}

func newModelRenderer(in ModelInput) (*modelRenderer, error) {
	release, err := schemas.ParseKServeVersion(in.Environment.Spec.KServe.Version)
	if err != nil {
		return nil, err
	}
	r := &modelRenderer{
		ModelInput: in,
		name:       in.Deployment.Metadata.Name,
		namespace:  in.namespace(),
		labels:     modelLabels(in),
		release:    release,
	}
	if r.runtime, err = r.chooseRuntime(); err != nil {
		return nil, err
	}
	return r, nil
}

// knative reports whether pods are made by Knative, whose webhook refuses pod
// fields that Kubernetes allows.
func (r *modelRenderer) knative() bool {
	return r.Environment.Spec.KServe.Mode == schemas.ModeKnative
}

// objects lists the model's objects in the order in which they are applied: what
// a pod needs comes before what makes pods, then comes traffic, and what watches
// it all last.
func (r *modelRenderer) objects() ([]object, error) {
	serving, err := r.serving()
	if err != nil {
		return nil, err
	}
	watching, err := r.observability()
	return append(serving, watching...), err
}

// serving lists what serves the model.
func (r *modelRenderer) serving() ([]object, error) {
	if r.Canary != nil && !r.knative() {
		return r.canaryObjects()
	}
	out, err := r.service()
	if err != nil {
		return nil, err
	}
	out = append(out, r.graph()...)
	if r.routed() {
		out = append(out, r.route(share{r, 100}))
	}
	return out, nil
}

// service lists what serves one version.
func (r *modelRenderer) service() ([]object, error) {
	service, err := r.inferenceService()
	if err != nil {
		return nil, err
	}
	return slices.Concat([]object{r.serviceAccount()}, r.network(), r.disruptionBudgets(), []object{service}), nil
}

// meta is the metadata of an object of the model.
func (r *modelRenderer) meta(name string) metadata {
	return metadata{Name: name, Namespace: r.namespace, Labels: r.labels}
}
