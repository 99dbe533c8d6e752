package schemas

// FieldManager is the one name under which Mooring applies objects.
const FieldManager = "mooring"

// Labels that every rendered object carries. Selection, inventory and prune
// rely on them, so an overlay may not remove or change them.
const (
	LabelManagedBy   = "app.kubernetes.io/managed-by"
	ManagedByMooring = "mooring"
	LabelRepository  = Group + "/repository"
	LabelTeam        = Group + "/team"
	LabelEnvironment = Group + "/environment"
	// LabelModel is absent on a tenancy's objects (namespace, quota, limits).
	LabelModel      = Group + "/model"
	LabelVersion    = Group + "/version"
	LabelRisk       = Group + "/risk"
	LabelCostCenter = Group + "/cost-center"
)

// Unit is a set of objects that is applied, healed and pruned as a whole: one
// model in one environment, or (Model empty) a team's tenancy there.
type Unit struct {
	Team        string
	Model       string
	Environment string
}

// ReceiptName is the name of the unit's ModelRelease. Names hold no dot, so two
// units never share one.
func (u Unit) ReceiptName() string {
	if u.Model == "" {
		return u.Environment + "." + u.Team
	}
	return u.Environment + "." + u.Team + "." + u.Model
}

// String is "team/model in environment".
func (u Unit) String() string {
	if u.Model == "" {
		return u.Team + " in " + u.Environment
	}
	return u.Team + "/" + u.Model + " in " + u.Environment
}
