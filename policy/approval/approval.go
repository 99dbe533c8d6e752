package approval

import (
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// Automatic stands in a slot for the person where a level needs nobody.
const Automatic = "automatic"

// Review is one review of the pull request as GitHub tells it.
type Review struct {
	// User has no login where the account no longer exists.
	User Account
	// Type is GitHub's account type; "Bot" never approves.
	Type string
	// State is APPROVED, CHANGES_REQUESTED, DISMISSED, COMMENTED or PENDING.
	State string
	// CommitID is the commit that was reviewed.
	CommitID    string
	SubmittedAt time.Time
	// Body may break the glass: see BreakGlass.
	Body string
	// EditedBy is who else than the user has edited the body; empty: nobody.
	EditedBy string
}

// Input is everything that the decision depends on. People are told apart by
// id where it is known, else by login; logins and team slugs compare
// case-insensitively.
type Input struct {
	Level schemas.RiskLevel
	// Platform marks a change of a governing file: judged as the highest level
	// and by the governance's own roles, never by a team's.
	Platform   bool
	Governance schemas.GovernanceSpec
	// TeamRoles replace the governance's roles for the team's own changes.
	TeamRoles map[string]schemas.RoleHolders
	// Members maps "org/slug" to the members of the team. A team that is listed
	// with nobody has no members; one that is absent could not be read.
	Members map[string][]Account
	// Author, Committers and CoAuthors made the change and cannot approve it.
	Author                Account
	Committers, CoAuthors []Account
	// Reviews in the order of GitHub's list.
	Reviews []Review
	// Digest of the change at head; DigestAt is the same change's digest at
	// other commits. A review of a commit that is not in it does not count.
	Digest   string
	DigestAt map[string]string
	// Requested is when approval was first asked for, from which the level's
	// SLA runs; zero: not known, and nothing is due.
	Requested time.Time
	// Now is the time of judging. A later review does not exist yet.
	Now time.Time
}

// Slot is a filled seat. By is the login as the review spells it, or Automatic.
type Slot struct {
	Role string `json:"role"`
	By   string `json:"by"`
	// ID is GitHub's number of the account; 0: not known.
	ID int64 `json:"-"`
	// Alternate: the person stands in for those who hold the role.
	Alternate bool `json:"alternate,omitempty"`
	// Reviewed is when the review was submitted, and Commit what it is of; zero
	// where nobody reviewed.
	Reviewed time.Time `json:"-"`
	Commit   string    `json:"-"`
}

// Result is the decision. Its lists are empty rather than nil.
type Result struct {
	// Satisfied says whether the seats that the level demands are filled. A
	// blocking review does not change it.
	Satisfied bool `json:"satisfied"`
	// Slots are the filled seats in the order of the seats.
	Slots []Slot `json:"slots"`
	// Missing are the roles of the unfilled seats that may still be required.
	Missing []string `json:"missing"`
	// BlockedBy are the logins that request changes, in alphabetical order.
	BlockedBy []string `json:"blockedBy"`
	// Voided are the logins, in alphabetical order, whose approval was given for
	// other content and would fill a seat if given again.
	Voided []string `json:"voided,omitempty"`
	// Reasons say, one sentence per person in alphabetical order, why each
	// latest review did or did not count.
	Reasons []string `json:"reasons"`
	// Verdict is Fail where somebody blocks, else Pass where Satisfied, else
	// Pending.
	Verdict policy.Verdict `json:"verdict"`
	// SLA is the time the level gives to approve, and Due when it is over; zero
	// where nothing is awaited. Being overdue never approves anything.
	SLA schemas.Duration `json:"-"`
	Due time.Time        `json:"due,omitzero"`
	// Expires is when the first of the approvals in Slots stops counting; zero
	// where none is in a slot.
	Expires time.Time `json:"expires,omitzero"`
}

// Evaluate decides. It errs, with a Result whose verdict is Error, where a
// needed seat's role is not defined, one of its teams could not be read, one
// login stands for two accounts, or the input is not something GitHub sends.
func Evaluate(in Input) (Result, error) {
	r, err := evaluate(in)
	if err != nil {
		r = Result{Slots: []Slot{}, Missing: []string{}, BlockedBy: []string{}, Reasons: []string{}, Verdict: policy.Error}
	}
	return r, err
}

func evaluate(in Input) (Result, error) {
	need, err := Needed(in)
	if err != nil {
		return Result{}, err
	}
	known, err := directoryOf(in)
	if err != nil {
		return Result{}, err
	}
	latest, err := known.latestReviews(in.Reviews, in.Now)
	if err != nil {
		return Result{}, err
	}
	panel, err := known.seatPeople(need, in.Members, latest)
	if err != nil {
		return Result{}, err
	}

	judged := known.judgeReviews(in, need, panel, latest)
	filled := make([]*person, len(need.Seats))
	if !need.Automatic {
		filled = match(panel, approvers(judged))
	}
	r := Result{
		Slots:     slots(need, panel, filled),
		BlockedBy: blockers(judged),
		Voided:    voided(judged),
		Reasons:   reasons(need, panel, judged, filled),
		SLA:       need.SLA,
		Expires:   expires(filled, time.Duration(in.Governance.Expiry)),
	}
	r.Satisfied, r.Missing = need.outcome(filled)
	r.Verdict = verdict(r)
	if !r.Satisfied && !in.Requested.IsZero() {
		r.Due = in.Requested.Add(time.Duration(need.SLA))
	}
	return r, nil
}

func verdict(r Result) policy.Verdict {
	switch {
	case len(r.BlockedBy) > 0:
		return policy.Fail
	case r.Satisfied:
		return policy.Pass
	default:
		return policy.Pending
	}
}

// outcome says whether the filled seats are enough, and which are missing.
func (n Need) outcome(filled []*person) (satisfied bool, missing []string) {
	missing = []string{}
	if n.Automatic {
		return true, missing
	}
	count, chaired := 0, true
	for i, p := range filled {
		switch {
		case p != nil:
			count++
		case n.Seats[i].Chair:
			chaired = false
		}
	}
	for i, p := range filled {
		if p == nil && (n.Seats[i].Chair || count < n.Quorum) {
			missing = append(missing, n.Seats[i].Role)
		}
	}
	return chaired && count >= n.Quorum, missing
}

func slots(n Need, panel []bench, filled []*person) []Slot {
	if n.Automatic {
		return []Slot{{Role: n.Seats[0].Role, By: Automatic}}
	}
	s := []Slot{}
	for i, p := range filled {
		if p != nil {
			s = append(s, Slot{
				Role: n.Seats[i].Role, By: p.review.User.Login, ID: p.review.User.ID, Alternate: !panel[i].holders[p.who],
				Reviewed: p.review.SubmittedAt, Commit: p.review.CommitID,
			})
		}
	}
	return s
}

func expires(filled []*person, expiry time.Duration) time.Time {
	var first time.Time
	for _, p := range filled {
		if p == nil {
			continue
		}
		if at := p.review.SubmittedAt.Add(expiry); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
