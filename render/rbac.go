package render

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/mlops-platform/mooring/schemas"
)

// bindings say by which ClusterRole which access is given; an operator is a
// viewer too. The roles are installed with the controller. Roles rendered here
// would ask that the controller hold, or be allowed to invent, every right that
// it gives; so it may bind these two and nothing else.
var bindings = []struct {
	role   string
	access []schemas.ClusterAccess
}{
	{"mooring-team-viewer", []schemas.ClusterAccess{schemas.AccessViewer, schemas.AccessOperator}},
	{"mooring-team-operator", []schemas.ClusterAccess{schemas.AccessOperator}},
}

// access binds the team's groups to what they may do in the namespace. Into one
// of isolated data a group is let only where the team says so.
func (s space) access() []object {
	var out []object
	for _, r := range bindings {
		var subjects []rbacv1.Subject
		for _, a := range s.Team.Spec.Access {
			group := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: a.Group}
			if slices.Contains(r.access, a.Role) && (a.Isolated || !s.isolated) && !slices.Contains(subjects, group) {
				subjects = append(subjects, group)
			}
		}
		if len(subjects) == 0 {
			continue
		}
		out = append(out, object{
			APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kindRoleBinding,
			Metadata: s.meta(r.role),
			RoleRef:  &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: r.role},
			Subjects: subjects,
		})
	}
	return out
}
