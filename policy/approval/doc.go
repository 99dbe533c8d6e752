// Package approval decides whether a change has the approvals that its risk
// demands, who is still missing and who stands in the way.
//
// Reviews, members of GitHub teams, the people of the pull request and the
// change's digest at each reviewed commit are gathered by reconciler/review and
// come in as one Input; the Result goes on the pull request and, re-read at
// apply time, decides whether content may run. Roles are seats and people are
// matched to seats, so one person never fills two. The time of judging is an
// argument.
//
// How to read the package: seats.go says which seats a change needs, reviews.go
// whose review counts, match.go who sits where, approval.go puts it together.
package approval
