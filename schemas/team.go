package schemas

import "k8s.io/apimachinery/pkg/api/resource"

// Team is teams/TEAM.yaml: what a team may use and who speaks for it.
type Team struct {
	APIVersion string   `json:"apiVersion" rule:"const=mlops-platform.com/v1alpha1"`
	Kind       Kind     `json:"kind" rule:"const=Team"`
	Metadata   Metadata `json:"metadata"`
	Spec       TeamSpec `json:"spec"`
}

// TeamSpec is the team's share of the platform.
type TeamSpec struct {
	CostCenter string   `json:"costCenter" rule:"word"`
	Contacts   Contacts `json:"contacts"`
	// Quota in each environment, unless Quotas names the environment.
	Quota  Quota            `json:"quota"`
	Quotas map[string]Quota `json:"quotas,omitempty" rule:"key=name"`
	Budget Budget           `json:"budget"`
	// Roles replace the governance's roles for this team's changes. A role that
	// has a board's seat may not be replaced.
	Roles map[string]RoleHolders `json:"roles,omitempty" rule:"key=word"`
	// Access lets groups of the cluster's users into the team's namespaces.
	Access []Access `json:"access,omitempty"`
}

// Access is what a group may do in a team's namespaces.
type Access struct {
	// Group as the cluster's authenticator names it.
	Group string        `json:"group" rule:"group"`
	Role  ClusterAccess `json:"role"`
	// Isolated also lets it into namespaces of isolated data; default no.
	Isolated bool `json:"isolated,omitempty"`
}

// ClusterAccess is a role in a team's namespaces.
type ClusterAccess string

// The roles. A viewer reads what runs and its logs, never a Secret; an operator
// also restarts pods.
const (
	AccessViewer   ClusterAccess = "viewer"
	AccessOperator ClusterAccess = "operator"
)

// QuotaIn is the team's quota in an environment.
func (s TeamSpec) QuotaIn(environment string) Quota {
	if q, ok := s.Quotas[environment]; ok {
		return q
	}
	return s.Quota
}

// Contacts says how the team is reached.
type Contacts struct {
	Slack string `json:"slack" rule:"line"`
	Email string `json:"email" rule:"email"`
}

// Quota bounds the requests of a team's models in one environment.
type Quota struct {
	CPU    resource.Quantity `json:"cpu"`
	Memory resource.Quantity `json:"memory" rule:"memory"`
	GPU    int32             `json:"gpu" rule:"min=0"`
}

// Budget bounds a team's monthly cost over all environments.
type Budget struct {
	Monthly  Money  `json:"monthly"`
	Currency string `json:"currency" rule:"currency"`
	// Warn and Deny are shares of Monthly, Warn ≤ Deny.
	Warn Percent `json:"warn"`
	Deny Percent `json:"deny"`
}
