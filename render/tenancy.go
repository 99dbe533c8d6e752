package render

import (
	"errors"
	"fmt"

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

// Tenancy renders what a team's models stand in: the Namespace, its
// ResourceQuota and its LimitRange, in the order in which they are to be applied.
func Tenancy(in TenancyInput) ([]*unstructured.Unstructured, error) {
	if in.Team == nil || in.Environment == nil {
		return nil, errors.New("render a tenancy: the team and the environment are both needed")
	}
	return toUnstructured([]object{in.namespace(), in.quota(), in.limits()})
}

func (in TenancyInput) meta(name string) metadata {
	return metadata{
		Name:      name,
		Namespace: Namespace(in.Environment, in.Team.Metadata.Name),
		Labels:    tenancyLabels(in.Repository, in.Team, in.Environment.Metadata.Name),
	}
}

// namespace enforces the baseline Pod Security Standard and warns of what the
// restricted one would refuse. Our own containers meet the restricted one; what
// is injected beside them (KServe's storage initializer, Knative's and a mesh's
// proxies) does not in every release, and would be refused with the whole pod.
func (in TenancyInput) namespace() object {
	meta := in.meta("")
	meta.Name, meta.Namespace = meta.Namespace, ""
	for mode, level := range map[string]string{"enforce": "baseline", "audit": "restricted", "warn": "restricted"} {
		meta.Labels["pod-security.kubernetes.io/"+mode] = level
		meta.Labels["pod-security.kubernetes.io/"+mode+"-version"] = "latest"
	}
	return object{APIVersion: "v1", Kind: "Namespace", Metadata: meta}
}

// quota bounds what the team's pods request. A pod counts with the larger of
// its containers' sum and its largest init container, so KServe's storage
// initializer rarely adds to it; its agent (batcher, logger) does.
//
// For accelerators "requests.<resource>" is the only key that the API server
// enforces. Each resource of the environment gets the team's number of GPUs,
// since a ResourceQuota cannot bound their sum; policy judges that.
func (in TenancyInput) quota() object {
	q := in.Team.Spec.QuotaIn(in.Environment.Metadata.Name)
	hard := corev1.ResourceList{corev1.ResourceRequestsCPU: q.CPU, corev1.ResourceRequestsMemory: q.Memory}
	for _, pool := range in.Environment.Spec.Pools {
		if pool.Accelerator != nil {
			key := corev1.ResourceName(corev1.DefaultResourceRequestsPrefix + pool.Accelerator.Resource)
			hard[key] = *resource.NewQuantity(int64(q.GPU), resource.DecimalSI)
		}
	}
	return object{
		APIVersion: "v1", Kind: "ResourceQuota",
		Metadata: in.meta(fmt.Sprintf("team-%s", in.Team.Metadata.Name)),
		Spec:     corev1.ResourceQuotaSpec{Hard: hard},
	}
}

// limits give requests to containers that name none. Under a quota on requests
// the API server refuses such a container, and an injected one would take its
// model with it.
func (in TenancyInput) limits() object {
	return object{
		APIVersion: "v1", Kind: "LimitRange",
		Metadata: in.meta(fmt.Sprintf("team-%s", in.Team.Metadata.Name)),
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, DefaultRequest: defaultRequests, Default: defaultLimits,
		}}},
	}
}
