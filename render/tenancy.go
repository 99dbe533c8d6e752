package render

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/schemas"
)

// TenancyInput is everything that the objects of a team in an environment
// depend on.
type TenancyInput struct {
	// Repository names the model repository, such as "acme/models".
	Repository  string
	Team        *schemas.Team
	Environment *schemas.Environment
}

// What a container gets that names no resources of its own. These are the
// figures of KServe's storage initializer.
var (
	defaultRequests = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("100Mi"),
	}
	defaultLimits = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi"),
	}
)

// Tenancy renders what a team's models stand in, in the order in which it is to
// be applied: the Namespace, its ResourceQuota and LimitRange, who may look into
// it, and what it is shut off from. The same again for each kind of isolated
// data that the team may serve: an empty namespace does no harm, and one that
// comes only with its first model would hold that model up.
func Tenancy(in TenancyInput) ([]*unstructured.Unstructured, error) {
	if in.Team == nil || in.Environment == nil {
		return nil, errors.New("render a tenancy: the team and the environment are both needed")
	}
	var objects []object
	for _, s := range in.spaces() {
		objects = append(objects, s.namespace(), s.quota(), s.limits())
		objects = append(objects, s.access()...)
		objects = append(objects, s.network()...)
	}
	return toUnstructured(objects)
}

// space is one namespace of a tenancy.
type space struct {
	TenancyInput
	name     string
	isolated bool
}

// spaces lists the tenancy's namespaces, the common one first.
func (in TenancyInput) spaces() []space {
	team, environment := in.Team.Metadata.Name, in.Environment.Metadata.Name
	out := []space{{TenancyInput: in, name: in.Environment.Spec.NamespaceFor(team, environment)}}
	for n := range in.Environment.Spec.Isolation {
		isolation := &in.Environment.Spec.Isolation[n]
		if slices.Contains(isolation.Teams, team) {
			out = append(out, space{TenancyInput: in, name: isolation.NamespaceFor(team, environment), isolated: true})
		}
	}
	return out
}

func (s space) meta(name string) metadata {
	return metadata{
		Name:      name,
		Namespace: s.name,
		Labels:    tenancyLabels(s.Repository, s.Team, s.Environment.Metadata.Name),
	}
}

// namespace enforces the level of the Pod Security Standards that the
// environment names, by default baseline, and warns of what the restricted one
// would refuse. Our own containers meet the restricted one; what is injected
// beside them (KServe's storage initializer as it comes, a mesh's proxies) does
// not, and would be refused with the whole pod.
func (s space) namespace() object {
	meta := s.meta("")
	meta.Name, meta.Namespace = meta.Namespace, ""
	enforce := s.Environment.Spec.PodSecurity
	if enforce == "" {
		enforce = schemas.PodSecurityBaseline
	}
	for mode, level := range map[string]schemas.PodSecurityLevel{
		"enforce": enforce, "audit": schemas.PodSecurityRestricted, "warn": schemas.PodSecurityRestricted,
	} {
		meta.Labels["pod-security.kubernetes.io/"+mode] = string(level)
		meta.Labels["pod-security.kubernetes.io/"+mode+"-version"] = "latest"
	}
	return object{APIVersion: "v1", Kind: "Namespace", Metadata: meta}
}

// quota bounds what the team's pods request. A pod counts with the larger of
// its containers' sum and its largest init container, so KServe's storage
// initializer rarely adds to it; its agent (batcher, logger) does.
//
// For accelerators "requests.<resource>" is the only key that the API server
// enforces. Each resource of the environment gets the team's number of GPUs, and
// each namespace of the team the whole quota, since a ResourceQuota cannot bound
// a sum over either; policy judges that.
func (s space) quota() object {
	q := s.Team.Spec.QuotaIn(s.Environment.Metadata.Name)
	hard := corev1.ResourceList{corev1.ResourceRequestsCPU: q.CPU, corev1.ResourceRequestsMemory: q.Memory}
	for _, pool := range s.Environment.Spec.Pools {
		if pool.Accelerator != nil {
			key := corev1.ResourceName(corev1.DefaultResourceRequestsPrefix + pool.Accelerator.Resource)
			hard[key] = *resource.NewQuantity(int64(q.GPU), resource.DecimalSI)
		}
	}
	return object{
		APIVersion: "v1", Kind: "ResourceQuota",
		Metadata: s.meta(fmt.Sprintf("team-%s", s.Team.Metadata.Name)),
		Spec:     corev1.ResourceQuotaSpec{Hard: hard},
	}
}

// limits give requests to containers that name none. Under a quota on requests
// the API server refuses such a container, and an injected one would take its
// model with it.
func (s space) limits() object {
	return object{
		APIVersion: "v1", Kind: "LimitRange",
		Metadata: s.meta(fmt.Sprintf("team-%s", s.Team.Metadata.Name)),
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, DefaultRequest: defaultRequests, Default: defaultLimits,
		}}},
	}
}
