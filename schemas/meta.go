package schemas

// APIVersion is the only version of the files and objects described here.
const APIVersion = "mlops-platform.com/v1alpha1"

// Group and Version are APIVersion in its two parts.
const (
	Group   = "mlops-platform.com"
	Version = "v1alpha1"
)

// Kind names a kind of file or object.
type Kind string

// The kinds of files in a model repository.
const (
	KindModelDeployment Kind = "ModelDeployment"
	KindGovernance      Kind = "Governance"
	KindEnvironment     Kind = "Environment"
	KindTeam            Kind = "Team"
	KindGovernanceTest  Kind = "GovernanceTest"
)

// The kinds of objects in the cluster.
const (
	KindModelRepository Kind = "ModelRepository"
	KindModelRelease    Kind = "ModelRelease"
)

// Metadata names a file's object. Nothing else of Kubernetes' metadata may be
// written in a model repository.
type Metadata struct {
	// Name is a DNS-1035 label of at most 40 characters.
	Name string `json:"name" rule:"name"`
}
