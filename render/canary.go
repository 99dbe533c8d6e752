package render

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// Canary is a rollout under way: two versions serve beside each other.
type Canary struct {
	// Percent of the traffic goes to the version that the input describes, the
	// rest to the stable one: 1–99.
	Percent int32
	// Stable is what served before, as it was rendered then, without a canary of
	// its own. Knative keeps the former revision itself, so it is not rendered
	// there.
	Stable *ModelInput
}

func (c *Canary) check(in ModelInput) error {
	switch {
	case c.Percent < 1 || c.Percent > 99:
		return fmt.Errorf("a canary of %d %% is no canary", c.Percent)
	case c.Stable == nil || c.Stable.Canary != nil:
		return errors.New("a canary needs the stable version, which has none itself")
	}
	if err := c.Stable.check(); err != nil {
		return fmt.Errorf("the stable version: %w", err)
	}
	if c.Stable.subject() != in.subject() || c.Stable.Environment.Spec.KServe.Mode != in.Environment.Spec.KServe.Mode ||
		c.Stable.namespace() != in.namespace() {
		return errors.New("the stable version is of another model, or the environment's mode or namespace has changed since")
	}
	return nil
}

// splitsTraffic reports whether the model's rollouts go by canary in Standard
// mode: through a second InferenceService and the weights of a route.
func (r *modelRenderer) splitsTraffic() bool {
	return r.Environment.Spec.SplitsTraffic(&r.Deployment.Spec)
}

// routed reports whether clients reach the model through the environment's
// gateway. An HTTPRoute carries no gRPC.
func (r *modelRenderer) routed() bool {
	return r.Environment.Spec.Gateway != nil && !r.knative() && !r.Deployment.Spec.InferenceProtocol().GRPC()
}

// canaryObjects are the objects of both versions. The canary's have names of
// their own, so that neither version's change touches the other. The route comes
// last: traffic moves when both are there.
func (r *modelRenderer) canaryObjects() ([]object, error) {
	if !r.splitsTraffic() {
		return nil, errors.New("nothing splits the traffic: the environment has no gateway, or the manifest no canary over HTTP")
	}
	stable, err := newModelRenderer(*r.Canary.Stable)
	if err != nil {
		return nil, fmt.Errorf("the stable version: %w", err)
	}
	before, err := stable.service()
	if err != nil {
		return nil, fmt.Errorf("the stable version: %w", err)
	}
	second := *r
	second.name += schemas.CanarySuffix
	after, err := second.service()
	if err != nil {
		return nil, err
	}
	percent := r.Canary.Percent
	return slices.Concat(before, after, r.graph(), []object{r.route(share{stable, 100 - percent}, share{&second, percent})}), nil
}

// isCanary reports whether this is the second service of a rollout.
func (r *modelRenderer) isCanary() bool { return r.name != r.Deployment.Metadata.Name }

// replicas of a component. A canary has its share of them, and one at least.
func (r *modelRenderer) replicas(in schemas.Replicas) schemas.Replicas {
	if !r.isCanary() {
		return in
	}
	part := func(n int32) int32 { return max(1, (n*r.Canary.Percent+99)/100) }
	low, high := part(in.Low()), part(in.High())
	return schemas.Replicas{Min: &low, Max: &high}
}

// Clients ask both versions for the model by one name, and KServe tells a server
// the name of its InferenceService. A canary's server is told the model's.
const (
	argModelName = "--model_name"
	envModelName = "MLSERVER_MODEL_NAME"
)

func (r *modelRenderer) nameArgs() []string {
	if !r.isCanary() || r.runtime.naming != schemas.NamedByArgument {
		return nil
	}
	return []string{argModelName + "=" + r.Deployment.Metadata.Name}
}

func (r *modelRenderer) nameEnv() []corev1.EnvVar {
	named := slices.ContainsFunc(r.Deployment.Spec.Serving.Env, func(e schemas.EnvVar) bool { return e.Name == envModelName })
	if !r.isCanary() || r.runtime.naming != schemas.NamedByVariable || named {
		return nil
	}
	return []corev1.EnvVar{{Name: envModelName, Value: r.Deployment.Metadata.Name}}
}

// besideArgs are the arguments of a transformer or explainer, to which KServe
// adds the name where they have none.
func (r *modelRenderer) besideArgs(args []string) []string {
	if !r.isCanary() || slices.Contains(args, argModelName) {
		return args
	}
	return slices.Concat(args, []string{argModelName, r.Deployment.Metadata.Name})
}
