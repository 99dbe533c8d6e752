package approval_test

import (
	"time"

	"github.com/mlops-platform/mooring/policy/approval"
	"github.com/mlops-platform/mooring/schemas"
)

const (
	head   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	older  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digest = "sha256:head"
	expiry = 720 * time.Hour
)

var now = time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)

func account(text string) approval.Account {
	a, err := approval.ParseAccount(text)
	if err != nil {
		panic(err)
	}
	return a
}

func accounts(texts ...string) []approval.Account {
	var list []approval.Account
	for _, t := range texts {
		list = append(list, account(t))
	}
	return list
}

func users(logins ...string) schemas.RoleHolders { return schemas.RoleHolders{Users: logins} }

func governance() schemas.GovernanceSpec {
	return schemas.GovernanceSpec{
		Roles: map[string]schemas.RoleHolders{
			"team-lead":             users("lead"),
			"manager":               {Teams: []string{"acme/ml-managers"}},
			"senior-data-scientist": {Teams: []string{"acme/senior-ds"}},
			"vp-engineering":        users("octo-vp"),
			"ml-architect":          users("arch"),
			"product-manager":       users("pm"),
			"legal":                 users("law"),
			"security":              users("sec"),
		},
		Approvals: schemas.Approvals{
			Low: schemas.LowApproval{Automatic: "team-lead", SLA: schemas.Duration(24 * time.Hour)},
			Medium: schemas.MediumApproval{
				Seats: []string{"manager", "senior-data-scientist"}, SLA: schemas.Duration(48 * time.Hour),
			},
			High: schemas.HighApproval{Board: "cab", SLA: schemas.Duration(120 * time.Hour)},
		},
		Boards: map[string]schemas.Board{"cab": {
			Chair:   "vp-engineering",
			Members: []string{"ml-architect", "senior-data-scientist", "product-manager", "legal", "security"},
			Quorum:  4,
		}},
		Expiry: schemas.Duration(expiry),
	}
}

func input(level schemas.RiskLevel, reviews ...approval.Review) approval.Input {
	return approval.Input{
		Level: level, Governance: governance(),
		Members: map[string][]approval.Account{
			"acme/ml-managers": accounts("mia", "max"),
			"acme/senior-ds":   accounts("sam", "max"),
		},
		Author: account("author"), Committers: accounts("author", "helper"), CoAuthors: accounts("pair"),
		Reviews: reviews,
		Digest:  digest, DigestAt: map[string]string{head: digest, older: "sha256:older"},
		Now: now,
	}
}

// ago is a review of head, made so long before now.
func ago(d time.Duration, user, state string) approval.Review {
	return approval.Review{User: account(user), Type: "User", State: state, CommitID: head, SubmittedAt: now.Add(-d)}
}

func approve(user string) approval.Review { return ago(time.Hour, user, "APPROVED") }
func reject(user string) approval.Review  { return ago(time.Hour, user, "CHANGES_REQUESTED") }

func with(r approval.Review, change func(*approval.Review)) approval.Review {
	change(&r)
	return r
}
