package render

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlops-platform/mooring/schemas"
)

const (
	// spotGraceSeconds bounds a pod's shutdown, preStop included. A spot node
	// gets two minutes' notice, of which detecting it and evicting take some.
	spotGraceSeconds = 90
	// spotDrain holds back the termination signal until load balancers have
	// noticed that the pod is going. Where an image has no shell the hook fails
	// and the signal comes at once.
	spotDrain = "sleep 15"
)

// podSecurity is what every container of the pod inherits, those that KServe
// injects included: its storage initializer and agent set nothing themselves
// and run as user 1000.
func podSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// containerSecurity is the restricted Pod Security Standard.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func containerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsNonRoot:             ptr(true),
		Privileged:               ptr(false),
		AllowPrivilegeEscalation: ptr(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// drain is a spot pod's preStop hook.
func drain() *corev1.Lifecycle {
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", spotDrain}},
	}}
}

// requirements are a replica's requests and limits. GPUs cannot be overcommitted,
// so their request equals their limit; both are written because KServe looks for
// them in either.
func requirements(r schemas.Resources, a *schemas.Accelerator, pool schemas.Pool) (corev1.ResourceRequirements, error) {
	if r.Requests.CPU == nil || r.Requests.Memory == nil {
		return corev1.ResourceRequirements{}, fmt.Errorf("requests of cpu and memory are both needed")
	}
	out := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: *r.Requests.CPU, corev1.ResourceMemory: *r.Requests.Memory},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: *r.Requests.CPU, corev1.ResourceMemory: *r.Requests.Memory},
	}
	if r.Limits != nil && r.Limits.CPU != nil {
		out.Limits[corev1.ResourceCPU] = *r.Limits.CPU
	}
	if r.Limits != nil && r.Limits.Memory != nil {
		out.Limits[corev1.ResourceMemory] = *r.Limits.Memory
	}
	if a == nil {
		return out, nil
	}
	if pool.Accelerator == nil {
		return out, fmt.Errorf("pool %s has no accelerator, %d × %s asked for", pool.Name, a.Count, a.Type)
	}
	name, count := corev1.ResourceName(pool.Accelerator.Resource), *resource.NewQuantity(int64(a.Count), resource.DecimalSI)
	out.Requests[name], out.Limits[name] = count, count
	return out, nil
}

// grpcPorts tell KServe and Knative that the server is asked by gRPC, and where.
// Without, the Service leads to port 8080, where it speaks HTTP. By the name, which
// is one of Knative's, they take HTTP/2 to the pod.
func grpcPorts(port int32) []corev1.ContainerPort {
	if port == 0 {
		return nil
	}
	return []corev1.ContainerPort{{Name: "h2c", ContainerPort: port, Protocol: corev1.ProtocolTCP}}
}

func envVars(in []schemas.EnvVar) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, e := range in {
		v := corev1.EnvVar{Name: e.Name}
		if e.Value != nil {
			v.Value = *e.Value
		}
		if e.ValueFrom != nil {
			v.ValueFrom = envSource(*e.ValueFrom)
		}
		out = append(out, v)
	}
	return out
}

func envSource(s schemas.EnvVarSource) *corev1.EnvVarSource {
	out := &corev1.EnvVarSource{}
	if r := s.SecretKeyRef; r != nil {
		out.SecretKeyRef = &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Name}, Key: r.Key, Optional: r.Optional,
		}
	}
	if r := s.ConfigMapKeyRef; r != nil {
		out.ConfigMapKeyRef = &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.Name}, Key: r.Key, Optional: r.Optional,
		}
	}
	if r := s.FieldRef; r != nil {
		// The API server's default, written out so that a re-apply changes nothing.
		out.FieldRef = &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: r.FieldPath}
	}
	return out
}

func ptr[T any](v T) *T { return &v }
