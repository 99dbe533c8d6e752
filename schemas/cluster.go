package schemas

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions of ModelRepository and ModelRelease follow kstatus (Ready,
// Reconciling, Stalled); these are Mooring's own beside them.
const (
	// ConditionDrifted is True while a live object differs from what was applied.
	ConditionDrifted = "Drifted"
	// ConditionQuarantined is True while content on the branch has no approval.
	ConditionQuarantined = "Quarantined"
	// ConditionFetched says whether the Git repository could be read.
	ConditionFetched = "Fetched"
	// ConditionTeamsResolved says whether every team that a role names can be listed.
	ConditionTeamsResolved = "TeamsResolved"
	// ConditionSeatsFillable says whether distinct people can fill every seat.
	ConditionSeatsFillable = "SeatsFillable"
	// ConditionEnvironmentsFound says whether the approved branch has every environment
	// that the repository's spec names.
	ConditionEnvironmentsFound = "EnvironmentsFound"
	// ConditionRewritten is True after a forced push, until everything on the branch is
	// approved.
	ConditionRewritten = "Rewritten"
)

// ModelRepository tells a controller which Git repository to follow, and where
// its pull requests are.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=modelrepo,categories=mooring
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Revision",type=string,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Quarantined",type=integer,JSONPath=`.status.quarantinedFiles`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ModelRepository struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ModelRepositorySpec   `json:"spec"`
	Status ModelRepositoryStatus `json:"status,omitempty"`
}

// ModelRepositorySpec is what an operator writes.
//
// +kubebuilder:object:generate=true
type ModelRepositorySpec struct {
	// URL of the Git repository: https, ssh or file.
	// +kubebuilder:validation:MinLength=1
	URL string `json:"url"`
	// Branch that is deployed.
	// +kubebuilder:default=main
	Branch string `json:"branch,omitempty"`
	// Interval between two polls when no webhook arrives.
	// +kubebuilder:default="1m"
	Interval metav1.Duration `json:"interval,omitempty"`
	// Timeout of one Git or forge operation.
	// +kubebuilder:default="1m"
	Timeout metav1.Duration `json:"timeout,omitempty"`
	// Environments that this controller's cluster serves.
	// +kubebuilder:validation:MinItems=1
	Environments []string `json:"environments"`
	// TrustFrom is the commit whose content is taken as approved at the start.
	// Without it nothing is applied until a person names one.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40})?$`
	TrustFrom string `json:"trustFrom,omitempty"`
	// GitHub is where the pull requests are; absent: the branch is deployed
	// only as far as trustFrom vouches for it.
	GitHub *GitHubSpec `json:"github,omitempty"`
	// SecretRef names a Secret beside this object with the keys token; or
	// username and password; or identity and known_hosts; or appID,
	// installationID and privateKey; optionally ca.crt and webhookSecret.
	SecretRef *LocalSecret `json:"secretRef,omitempty"`
	// Suspend stops fetching, reviewing and releasing; drift is still reported.
	Suspend bool `json:"suspend,omitempty"`
}

// GitHubSpec points at a repository on GitHub or GitHub Enterprise.
//
// +kubebuilder:object:generate=true
type GitHubSpec struct {
	// +kubebuilder:validation:MinLength=1
	Owner string `json:"owner"`
	// +kubebuilder:validation:MinLength=1
	Repository string `json:"repository"`
	// BaseURL of the REST API; empty means GitHub's own.
	BaseURL string `json:"baseURL,omitempty"`
}

// LocalSecret names a Secret in the same namespace.
//
// +kubebuilder:object:generate=true
type LocalSecret struct {
	// +kubebuilder:validation:MinLength=1
	Name string `json:"name"`
}

// ModelRepositoryStatus is what Mooring last saw and decided.
//
// +kubebuilder:object:generate=true
type ModelRepositoryStatus struct {
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Revision is the commit on the branch up to which every change was judged.
	Revision string `json:"revision,omitempty"`
	// TrustedFrom is the trustFrom that was taken over.
	TrustedFrom string `json:"trustedFrom,omitempty"`
	// Approved lists the platform files and the content of each that stands approved,
	// and the manifests whose removal does.
	Approved []ApprovedFile `json:"approved,omitempty"`
	// Quarantined lists platform files whose content on the branch is not approved.
	Quarantined []QuarantinedFile `json:"quarantined,omitempty"`
	// QuarantinedFiles counts all of them, manifests included.
	QuarantinedFiles int `json:"quarantinedFiles,omitempty"`
	// Boards are the governance's change advisory boards with what waits for each.
	// +listType=map
	// +listMapKey=name
	Boards []BoardStatus `json:"boards,omitempty"`
}

// MaxAgendaItems is how many changes a board's status lists; it counts all.
const MaxAgendaItems = 50

// BoardStatus is the agenda of a board's next meeting. All text of items is what
// people on the forge wrote, and nothing to trust.
//
// +kubebuilder:object:generate=true
type BoardStatus struct {
	Name string `json:"name"`
	// Next is the meeting under way, or else the next one.
	Next BoardMeeting `json:"next"`
	// Count of the changes that wait for the board; Items lists the first 50.
	Count int `json:"count"`
	// Items in the order in which they are due.
	Items []AgendaItem `json:"items,omitempty"`
}

// BoardMeeting is one meeting of a board.
//
// +kubebuilder:object:generate=true
type BoardMeeting struct {
	From metav1.Time `json:"from"`
	To   metav1.Time `json:"to"`
	// TimeZone is the board's own, such as America/New_York.
	TimeZone string `json:"timeZone"`
}

// AgendaItem is one change that waits for a board.
//
// +kubebuilder:object:generate=true
type AgendaItem struct {
	PullRequest int    `json:"pullRequest"`
	Title       string `json:"title,omitempty"`
	URL         string `json:"url,omitempty"`
	Author      string `json:"author,omitempty"`
	// Change is TEAM/MODEL in ENVIRONMENT, or the path of a platform file.
	Change string `json:"change"`
	// Summary says what becomes of it, before → after.
	Summary string    `json:"summary,omitempty"`
	Level   RiskLevel `json:"level"`
	Score   int       `json:"score"`
	Digest  string    `json:"digest"`
	// Filled are the seats that are approved by somebody, Missing the roles that
	// still have to approve.
	Filled  []ApprovedBy `json:"filled,omitempty"`
	Missing []string     `json:"missing,omitempty"`
	// BlockedBy lists who requests changes.
	BlockedBy []string `json:"blockedBy,omitempty"`
	// Since is when approval was asked for, Due when the time for it ends. Nothing
	// is due where only a request for changes stands in the way.
	Since metav1.Time  `json:"since"`
	Due   *metav1.Time `json:"due,omitempty"`
}

// ApprovedFile is one blob that stands on the branch through an approved change.
//
// +kubebuilder:object:generate=true
type ApprovedFile struct {
	// Path inside the repository.
	Path string `json:"path"`
	// Blob is the content's Git object id; empty: the file's removal is approved.
	Blob string `json:"blob,omitempty"`
	// Before is the content that it replaced, which stood until Commit; empty for
	// a file that is new, and for trusted content.
	Before string `json:"before,omitempty"`
	// Replaced is the content that stood approved before: another than Before
	// where the branch held what was pushed past the gate.
	Replaced string `json:"replaced,omitempty"`
	// Digest of the change that was approved; empty for trusted content.
	Digest string `json:"digest,omitempty"`
	// Level of risk recorded at the merge.
	Level RiskLevel `json:"level,omitempty"`
	Score int       `json:"score,omitempty"`
	// Commit on the branch that brought it.
	Commit string `json:"commit,omitempty"`
	// Head is the pull request's last commit, which bears the statuses.
	Head string `json:"head,omitempty"`
	// PullRequest number; 0 for trusted content.
	PullRequest int `json:"pullRequest,omitempty"`
	// MergedAt is when the pull request was merged. What was merged before is not
	// approved anew by being pushed again.
	MergedAt *metav1.Time `json:"mergedAt,omitempty"`
	// By lists the filled seats.
	By []ApprovedBy `json:"by,omitempty"`
	// BrokenGlass is set where somebody lifted the rules of time: then it is
	// deployed at any time.
	BrokenGlass *BrokenGlass `json:"brokenGlass,omitempty"`
}

// BrokenGlass is who lifted freezes and change windows for a change, and why.
//
// +kubebuilder:object:generate=true
type BrokenGlass struct {
	// By is the person's login.
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Lifted is what stood in the way when it was merged.
	Lifted []string `json:"lifted,omitempty"`
}

// ApprovedBy is one filled seat.
//
// +kubebuilder:object:generate=true
type ApprovedBy struct {
	Role string `json:"role"`
	// Login of the person, or "automatic".
	Login string `json:"login"`
	// ID is the account's number; 0: not known.
	ID int64 `json:"id,omitempty"`
	// Alternate: the person stood in for those who hold the role.
	Alternate bool `json:"alternate,omitempty"`
	// ReviewedAt is when the approving review was submitted; nil for "automatic".
	ReviewedAt *metav1.Time `json:"reviewedAt,omitempty"`
	// ReviewedCommit is the commit that the review is of. Later ones of the pull
	// request left the change what it was, as its digest says.
	ReviewedCommit string `json:"reviewedCommit,omitempty"`
}

// QuarantinedFile is content on the branch that is not deployed.
//
// +kubebuilder:object:generate=true
type QuarantinedFile struct {
	Path string `json:"path"`
	// Blob on the branch; empty: the file was removed without approval.
	Blob   string      `json:"blob,omitempty"`
	Commit string      `json:"commit"`
	Reason string      `json:"reason"`
	Since  metav1.Time `json:"since"`
}

// ModelRepositoryList is a list of ModelRepository.
//
// +kubebuilder:object:root=true
type ModelRepositoryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ModelRepository `json:"items"`
}

// ModelRelease is the receipt of one model in one environment: what is
// deployed, from which commit, approved by whom. It is written by Mooring only
// and never read as desired state. Its name is Unit.ReceiptName.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=release,categories=mooring
// +kubebuilder:printcolumn:name="Model",type=string,JSONPath=`.spec.model`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Environment",type=string,JSONPath=`.spec.environment`
// +kubebuilder:printcolumn:name="Risk",type=string,JSONPath=`.status.risk`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Drift",type=string,JSONPath=`.status.conditions[?(@.type=="Drifted")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ModelRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ModelReleaseSpec   `json:"spec"`
	Status ModelReleaseStatus `json:"status,omitempty"`
}

// ModelReleaseSpec says whose receipt this is.
//
// +kubebuilder:object:generate=true
type ModelReleaseSpec struct {
	// Repository is the ModelRepository's name.
	Repository  string `json:"repository"`
	Team        string `json:"team"`
	Environment string `json:"environment"`
	// Model is empty for a team's tenancy: its namespace, quota and limits.
	Model string `json:"model,omitempty"`
	// Path of the manifest; empty for a tenancy.
	Path string `json:"path,omitempty"`
}

// ReleasePhase is where a release stands.
type ReleasePhase string

// The phases, in the order in which a release passes them; the last three end it.
const (
	PhasePending   ReleasePhase = "Pending"
	PhaseApplying  ReleasePhase = "Applying"
	PhaseVerifying ReleasePhase = "Verifying"
	PhaseLive      ReleasePhase = "Live"
	// PhaseRolledBack: the last good objects are restored under a hold.
	PhaseRolledBack ReleasePhase = "RolledBack"
	// PhaseFailed: the cluster refused it, or it never became ready.
	PhaseFailed ReleasePhase = "Failed"
	// PhaseQuarantined: nothing approved was ever deployed.
	PhaseQuarantined ReleasePhase = "Quarantined"
)

// ModelReleaseStatus is the receipt proper.
//
// +kubebuilder:object:generate=true
type ModelReleaseStatus struct {
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	Phase      ReleasePhase       `json:"phase,omitempty"`
	// Version of the model that is applied.
	Version string `json:"version,omitempty"`
	// Risk is the level of the applied manifest by its own facts. The level at
	// which its change was approved, which can be higher, is in Approved.
	Risk RiskLevel `json:"risk,omitempty"`
	// Approved is the manifest content that may run.
	Approved *ApprovedFile `json:"approved,omitempty"`
	// Quarantined is the manifest content on the branch that may not.
	Quarantined *QuarantinedFile `json:"quarantined,omitempty"`
	// Applied is what was last applied as a whole.
	Applied *AppliedRevision `json:"applied,omitempty"`
	// Begun is the blob of the content whose apply was begun and has not ended.
	Begun string `json:"begun,omitempty"`
	// Waited are the approvals that the next apply rests on and that were not used
	// when they were given, for a window or a freeze: their roles are read again.
	Waited []WaitedApproval `json:"waited,omitempty"`
	// Inventory lists the objects of this model in the cluster.
	Inventory []InventoryEntry `json:"inventory,omitempty"`
	// Drift lists the fields that differ or differed, newest first, at most 20.
	Drift []DriftedField `json:"drift,omitempty"`
	// History lists past applied revisions, newest first, at most 10.
	History []AppliedRevision `json:"history,omitempty"`
}

// WaitedApproval is who approved a pull request whose content was not deployed
// at once.
//
// +kubebuilder:object:generate=true
type WaitedApproval struct {
	PullRequest int          `json:"pullRequest"`
	Level       RiskLevel    `json:"level,omitempty"`
	By          []ApprovedBy `json:"by,omitempty"`
}

// AppliedRevision is one apply.
//
// +kubebuilder:object:generate=true
type AppliedRevision struct {
	// Revision is the commit on the branch; Blob the manifest's content.
	Revision string `json:"revision"`
	Blob     string `json:"blob"`
	Version  string `json:"version,omitempty"`
	// Hash of the rendered objects.
	Hash string      `json:"hash"`
	At   metav1.Time `json:"at"`
}

// InventoryEntry is one object that Mooring applied.
//
// +kubebuilder:object:generate=true
type InventoryEntry struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Fields is the hash of the owned fields' values, from the apply's answer,
	// preceded by the version of the hashing.
	Fields string `json:"fields,omitempty"`
}

// DriftState is what became of a drift.
type DriftState string

// The states.
const (
	DriftDetected  DriftState = "Detected"
	DriftHealed    DriftState = "Healed"
	DriftContested DriftState = "Contested"
)

// DriftedField is one field of one object that differs from what was applied.
//
// +kubebuilder:object:generate=true
type DriftedField struct {
	// Object is "Kind/namespace/name".
	Object string `json:"object"`
	// Path such as .spec.predictor.minReplicas; empty: the whole object.
	Path string `json:"path"`
	// Before is what Mooring applied, After what was found; at most 256
	// characters each, secrets left out.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Manager, Operation and Since say who changed it, how, and when.
	Manager   string       `json:"manager,omitempty"`
	Operation string       `json:"operation,omitempty"`
	Since     metav1.Time  `json:"since"`
	State     DriftState   `json:"state"`
	HealedAt  *metav1.Time `json:"healedAt,omitempty"`
}

// ModelReleaseList is a list of ModelRelease.
//
// +kubebuilder:object:root=true
type ModelReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ModelRelease `json:"items"`
}

// GetConditions returns the conditions.
func (r *ModelRepository) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions.
func (r *ModelRepository) SetConditions(c []metav1.Condition) { r.Status.Conditions = c }

// GetConditions returns the conditions.
func (r *ModelRelease) GetConditions() []metav1.Condition { return r.Status.Conditions }

// SetConditions replaces the conditions.
func (r *ModelRelease) SetConditions(c []metav1.Condition) { r.Status.Conditions = c }
