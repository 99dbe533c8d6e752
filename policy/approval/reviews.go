package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a review. The first three are opinions: of a person's opinions
// the latest is the one that holds.
const (
	approved         = "APPROVED"
	changesRequested = "CHANGES_REQUESTED"
	dismissed        = "DISMISSED"
	commented        = "COMMENTED"
	pending          = "PENDING"
)

// latestReviews is each person's latest opinion at the time of judging, ordered
// by login. Of two in the same second the later in the list is the latest. The
// states come back in capitals.
func (d directory) latestReviews(reviews []Review, now time.Time) ([]Review, error) {
	latest := map[identity]Review{}
	for _, r := range reviews {
		r.State = strings.ToUpper(r.State)
		switch r.State {
		case commented, pending:
			continue
		case approved, changesRequested, dismissed:
		default:
			return nil, fmt.Errorf("the review by %q has the unknown state %q", r.User.Login, r.State)
		}
		if r.SubmittedAt.After(now) || fold(r.User.Login) == "" {
			continue
		}
		who := d.identify(r.User)
		old, ok := latest[who]
		if !ok || !second(r).Before(second(old)) {
			latest[who] = r
		}
	}
	return sortedByLogin(latest), nil
}

// Approvals are the reviews that count where they are of the content to be
// approved: of each person the latest opinion, if that is an approval by somebody
// who may give one. What the commits of other reviews hold decides nothing. It
// errs where Evaluate does, but for what concerns seats.
func Approvals(in Input) ([]Review, error) {
	known, err := directoryOf(in)
	if err != nil {
		return nil, err
	}
	latest, err := known.latestReviews(in.Reviews, in.Now)
	if err != nil {
		return nil, err
	}
	makers := known.makersOf(in)
	return slices.DeleteFunc(latest, func(r Review) bool {
		return r.State != approved || barred(makers[known.identify(r.User)], r) != ""
	}), nil
}

func second(r Review) time.Time { return r.SubmittedAt.Truncate(time.Second) }

func sortedByLogin(m map[identity]Review) []Review {
	rs := make([]Review, 0, len(m))
	for _, r := range m {
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b Review) int { return cmp.Compare(fold(a.User.Login), fold(b.User.Login)) })
	return rs
}

// person is somebody with an opinion on the change.
type person struct {
	who    identity
	login  string // as it compares
	review Review
	// counts: the review is an approval of this change.
	counts bool
	// blocks: the review requests changes and the person has a say.
	blocks bool
	// void: the review is an approval of other content.
	void bool
	// why the review counts, blocks, or does neither; without the login.
	why string
	// seats whose role the person holds.
	seats []int
}

func (d directory) judgeReviews(in Input, need Need, panel []bench, latest []Review) []*person {
	makers := d.makersOf(in)
	people := make([]*person, 0, len(latest))
	for _, r := range latest {
		p := &person{who: d.identify(r.User), login: fold(r.User.Login), review: r}
		for i, who := range panel {
			if who.has(p.who) {
				p.seats = append(p.seats, i)
			}
		}
		switch r.State {
		case approved:
			if p.why = barred(makers[p.who], r); p.why == "" {
				p.why = whyNotThis(in, r)
				content, known := in.DigestAt[r.CommitID]
				p.void = known && content != in.Digest && len(p.seats) > 0
			}
			p.counts = p.why == ""
		case changesRequested:
			p.blocks = len(p.seats) > 0
			p.why = "requests changes, but has no seat on this change and does not block"
			if p.blocks {
				p.why = "requests changes as " + need.Seats[p.seats[0]].Role + ", which blocks until it is withdrawn or dismissed"
			}
		default:
			p.why = "has a review that was dismissed, and an earlier one does not come back"
		}
		people = append(people, p)
	}
	return people
}

// makersOf maps everybody who made the change to how.
func (d directory) makersOf(in Input) map[identity]string {
	makers := map[identity]string{}
	for _, made := range []struct {
		how string
		by  []Account
	}{{"a co-author", in.CoAuthors}, {"a committer", in.Committers}, {"the author", []Account{in.Author}}} {
		for who := range d.crowdOf(made.by) {
			makers[who] = made.how
		}
	}
	return makers
}

// whyNot says why an approval does not count; empty where it does. Made is how
// the reviewer made the change, empty where they did not.
func whyNot(in Input, made string, r Review) string {
	if why := barred(made, r); why != "" {
		return why
	}
	return whyNotThis(in, r)
}

// barred says why somebody may not approve the change, whatever they reviewed.
func barred(made string, r Review) string {
	if strings.EqualFold(r.Type, "Bot") || strings.HasSuffix(fold(r.User.Login), "[bot]") {
		return "approved, but a bot cannot approve"
	}
	if made != "" {
		return "approved, but is " + made + " of the change"
	}
	return ""
}

// whyNotThis says why an approval is not one of this content at this time.
func whyNotThis(in Input, r Review) string {
	digest, known := in.DigestAt[r.CommitID]
	switch {
	case !known:
		return "approved commit " + short(r.CommitID) + ", which is no longer in the repository: review again"
	case digest == "" || digest != in.Digest:
		return "approved commit " + short(r.CommitID) + ", at which this change was a different one, so a later push voided it: review again"
	case in.Now.Sub(r.SubmittedAt) >= time.Duration(in.Governance.Expiry):
		return fmt.Sprintf("approved on %s, which is %s ago or longer and has expired",
			r.SubmittedAt.UTC().Format(time.RFC3339), in.Governance.Expiry)
	default:
		return ""
	}
}

func short(commit string) string {
	const digits = 8
	return commit[:min(digits, len(commit))]
}

func approvers(people []*person) []*person {
	var ps []*person
	for _, p := range people {
		if p.counts {
			ps = append(ps, p)
		}
	}
	return ps
}

func voided(people []*person) []string {
	var logins []string
	for _, p := range people {
		if p.void {
			logins = append(logins, p.review.User.Login)
		}
	}
	return logins
}

func blockers(people []*person) []string {
	logins := []string{}
	for _, p := range people {
		if p.blocks {
			logins = append(logins, p.review.User.Login)
		}
	}
	return logins
}

func reasons(need Need, panel []bench, people, filled []*person) []string {
	lines := []string{}
	for _, p := range people {
		why := p.why
		if p.counts {
			why = whereSeated(need, panel, p, filled)
		}
		lines = append(lines, p.review.User.Login+" "+why)
	}
	return lines
}

// whereSeated says what became of an approval that counts.
func whereSeated(need Need, panel []bench, p *person, filled []*person) string {
	if need.Automatic {
		return "approved, which this level does not need"
	}
	if i := slices.Index(filled, p); i >= 0 {
		as := "approved as "
		if !panel[i].holders[p.who] {
			as = "approved as an alternate for "
		}
		return as + need.Seats[i].Role
	}
	if len(p.seats) == 0 {
		return "approved, but has no seat on this change"
	}
	roles := make([]string, len(p.seats))
	for i, s := range p.seats {
		roles[i] = need.Seats[s].Role
	}
	return "approved, but others already fill " + strings.Join(roles, " and ")
}
