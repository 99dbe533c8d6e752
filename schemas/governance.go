package schemas

import (
	"slices"
	"time"
)

// GovernancePath is where the governance stands in a model repository.
const GovernancePath = "governance.yaml"

// Governance is governance.yaml: who holds which role, how risk is scored, and
// what each level demands.
type Governance struct {
	APIVersion string         `json:"apiVersion" rule:"const=mlops-platform.com/v1alpha1"`
	Kind       Kind           `json:"kind" rule:"const=Governance"`
	Metadata   Metadata       `json:"metadata"`
	Spec       GovernanceSpec `json:"spec"`
}

// GovernanceSpec is the whole rule book.
type GovernanceSpec struct {
	// Roles maps a role to the GitHub teams and users that hold it.
	Roles     map[string]RoleHolders `json:"roles" rule:"key=word,items=1"`
	Risk      RiskTable              `json:"risk"`
	Approvals Approvals              `json:"approvals"`
	Boards    map[string]Board       `json:"boards" rule:"key=word"`
	// Expiry is the age at which an approval no longer counts.
	Expiry  Duration `json:"expiry"`
	Freezes []Freeze `json:"freezes,omitempty"`
	// Windows are the spans in which models may be deployed to the environments
	// that they name. An environment that none names is always open.
	Windows    []Window    `json:"windows,omitempty"`
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
}

// RoleHolders lists who holds a role; at least one team or user. Teams are
// "org/slug", users LOGIN or ID+LOGIN; both compare case-insensitively. With an
// id it is that account, whatever its login is by now.
type RoleHolders struct {
	Teams []string `json:"teams,omitempty" rule:"team-slug,fold"`
	Users []string `json:"users,omitempty" rule:"login,fold"`
	// Alternates may fill the role's seat where no holder does.
	Alternates *Alternates `json:"alternates,omitempty"`
}

// Alternates stand in for the holders of a role; at least one team or user, as
// in RoleHolders.
type Alternates struct {
	Teams []string `json:"teams,omitempty" rule:"team-slug,fold"`
	Users []string `json:"users,omitempty" rule:"login,fold"`
}

// AllTeams are the teams of the holders and of their alternates.
func (h RoleHolders) AllTeams() []string {
	if h.Alternates == nil {
		return h.Teams
	}
	return slices.Concat(h.Teams, h.Alternates.Teams)
}

// RiskTable turns declared facts into scores 0–10.
type RiskTable struct {
	BusinessImpact   map[string]int `json:"businessImpact" rule:"key=word,items=1,min=0,max=10"`
	CustomerExposure map[string]int `json:"customerExposure" rule:"key=word,items=1,min=0,max=10"`
	DataSensitivity  map[string]int `json:"dataSensitivity" rule:"key=word,items=1,min=0,max=10"`
	Regulations      map[string]int `json:"regulations" rule:"key=word,min=0,max=10"`
	Explainability   map[string]int `json:"explainability" rule:"key=word,items=1,min=0,max=10"`
	Levels           Levels         `json:"levels"`
}

// Levels are the scores (0–50) at which the medium and the high level begin;
// Medium < High.
type Levels struct {
	Medium int `json:"medium" rule:"min=1,max=50"`
	High   int `json:"high" rule:"min=2,max=50"`
}

// RiskLevel orders changes by what they may harm.
type RiskLevel string

// The levels, lowest first.
const (
	RiskLow    RiskLevel = "low"
	RiskMedium RiskLevel = "medium"
	RiskHigh   RiskLevel = "high"
)

// Approvals is what each level demands.
type Approvals struct {
	Low    LowApproval    `json:"low"`
	Medium MediumApproval `json:"medium"`
	High   HighApproval   `json:"high"`
}

// LowApproval is automatic, on behalf of a role.
type LowApproval struct {
	// Automatic names the role in whose name a low-risk change is approved.
	Automatic string   `json:"automatic" rule:"word"`
	SLA       Duration `json:"sla"`
	AutoMerge bool     `json:"autoMerge"`
	// Review is how often a live model of this level is looked at again.
	Review Duration `json:"review"`
}

// MediumApproval needs a distinct person in every seat.
type MediumApproval struct {
	Seats  []string `json:"seats" rule:"word,set,items=1"`
	SLA    Duration `json:"sla"`
	Review Duration `json:"review"`
}

// HighApproval needs a board's quorum.
type HighApproval struct {
	Board  string   `json:"board" rule:"word"`
	SLA    Duration `json:"sla"`
	Review Duration `json:"review"`
	// Revalidate is how often a live model of this level needs a fresh approval.
	Revalidate Duration `json:"revalidate"`
}

// Board is a change advisory board: a chair and members, by role.
type Board struct {
	Chair   string   `json:"chair" rule:"word"`
	Members []string `json:"members" rule:"word,set"`
	// Quorum of distinct people in distinct seats, the chair's among them:
	// 1 to the number of seats.
	Quorum int     `json:"quorum" rule:"min=1"`
	Meets  Meeting `json:"meets"`
}

// Meeting is a board's weekly meeting. From and To are "15:04" in TimeZone.
type Meeting struct {
	Weekday  string `json:"weekday" rule:"weekday"`
	From     string `json:"from" rule:"clock"`
	To       string `json:"to" rule:"clock"`
	TimeZone string `json:"timeZone" rule:"time-zone"`
}

// Freeze is a span in which nothing is deployed to some environments.
type Freeze struct {
	Environments []string  `json:"environments" rule:"name,set,items=1"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Reason       string    `json:"reason" rule:"line"`
}

// Window is a span of the day, on some days of the week, in which models may be
// deployed to some environments. From and To are "15:04" in TimeZone, and the
// weekdays are those of From: a window whose To is not after From ends on the
// next day. It holds from From inclusive to To exclusive.
type Window struct {
	Environments []string `json:"environments" rule:"name,set,items=1"`
	Weekdays     []string `json:"weekdays" rule:"weekday,set,items=1"`
	From         string   `json:"from" rule:"clock"`
	To           string   `json:"to" rule:"clock"`
	TimeZone     string   `json:"timeZone" rule:"time-zone"`
}

// BreakGlass names the role that may deploy through a freeze and outside of a
// window.
type BreakGlass struct {
	Role string `json:"role" rule:"word"`
}
