package schemas

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion of the objects in the cluster.
var GroupVersion = schema.GroupVersion{Group: Group, Version: Version}

var (
	// SchemeBuilder registers ModelRepository and ModelRelease.
	SchemeBuilder = runtime.NewSchemeBuilder(addTypes)
	// AddToScheme registers them with a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &ModelRepository{}, &ModelRepositoryList{}, &ModelRelease{}, &ModelReleaseList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
