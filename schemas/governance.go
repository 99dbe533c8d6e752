package schemas

import "time"

// GovernancePath is where the governance stands in a model repository.
const GovernancePath = "governance.yaml"

// Governance is governance.yaml: who holds which role, how risk is scored, and
// what each level demands.
type Governance struct {
	APIVersion string         `json:"apiVersion"`
	Kind       Kind           `json:"kind"`
	Metadata   Metadata       `json:"metadata"`
	Spec       GovernanceSpec `json:"spec"`
}

// GovernanceSpec is the whole rule book.
type GovernanceSpec struct {
	// Roles maps a role to the GitHub teams and users that hold it.
	Roles     map[string]RoleHolders `json:"roles"`
	Risk      RiskTable              `json:"risk"`
	Approvals Approvals              `json:"approvals"`
	Boards    map[string]Board       `json:"boards"`
	// Expiry is the age at which an approval no longer counts.
	Expiry     Duration    `json:"expiry"`
	Freezes    []Freeze    `json:"freezes,omitempty"`
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
}

// RoleHolders lists who holds a role; at least one team or user. Teams are
// "org/slug"; both compare case-insensitively.
type RoleHolders struct {
	Teams []string `json:"teams,omitempty"`
	Users []string `json:"users,omitempty"`
}

// RiskTable turns declared facts into scores 0–10.
type RiskTable struct {
	BusinessImpact   map[string]int `json:"businessImpact"`
	CustomerExposure map[string]int `json:"customerExposure"`
	DataSensitivity  map[string]int `json:"dataSensitivity"`
	Regulations      map[string]int `json:"regulations"`
	Explainability   map[string]int `json:"explainability"`
	Levels           Levels         `json:"levels"`
}

// Levels are the scores (0–50) at which the medium and the high level begin;
// Medium < High.
type Levels struct {
	Medium int `json:"medium"`
	High   int `json:"high"`
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
	Automatic string   `json:"automatic"`
	SLA       Duration `json:"sla"`
	AutoMerge bool     `json:"autoMerge"`
	// Review is how often a live model of this level is looked at again.
	Review Duration `json:"review"`
}

// MediumApproval needs a distinct person in every seat.
type MediumApproval struct {
	Seats  []string `json:"seats"`
	SLA    Duration `json:"sla"`
	Review Duration `json:"review"`
}

// HighApproval needs a board's quorum.
type HighApproval struct {
	Board  string   `json:"board"`
	SLA    Duration `json:"sla"`
	Review Duration `json:"review"`
	// Revalidate is how often a live model of this level needs a fresh approval.
	Revalidate Duration `json:"revalidate"`
}

// Board is a change advisory board: a chair and members, by role.
type Board struct {
	Chair   string   `json:"chair"`
	Members []string `json:"members"`
	// Quorum of distinct people in distinct seats, the chair's among them:
	// 1 to the number of seats.
	Quorum int     `json:"quorum"`
	Meets  Meeting `json:"meets"`
}

// Meeting is a board's weekly meeting. From and To are "15:04" in TimeZone.
type Meeting struct {
	Weekday  string `json:"weekday"`
	From     string `json:"from"`
	To       string `json:"to"`
	TimeZone string `json:"timeZone"`
}

// Freeze is a span in which nothing is deployed to some environments.
type Freeze struct {
	Environments []string  `json:"environments"`
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Reason       string    `json:"reason"`
}

// BreakGlass names the role that may deploy through a freeze.
type BreakGlass struct {
	Role string `json:"role"`
}
