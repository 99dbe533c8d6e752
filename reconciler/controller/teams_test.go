package controller

import "testing"

func TestAProblemOfManyIsSaidOnce(t *testing.T) {
	for _, test := range []struct {
		name    string
		found   map[string][]string
		reasons []string
		reason  string
		text    string
	}{
		{"none", nil, []string{reasonTeamUnknown, reasonTeamDenied}, "", ""},
		{"one team", map[string][]string{reasonTeamUnknown: {"a/x (r)"}}, []string{reasonTeamUnknown, reasonTeamDenied}, reasonTeamUnknown,
			`the team a/x (r) is missing or not visible: check the slug, and give the App the permission "Members: read"`},
		{"teams of both kinds", map[string][]string{reasonTeamUnknown: {"a/x (r)", "a/y (s)"}, reasonTeamDenied: {"a/z (t)"}}, []string{reasonTeamUnknown, reasonTeamDenied}, reasonTeamUnknown,
			`2 teams are missing or not visible: check the slugs, and give the App the permission "Members: read"; they are a/x (r), a/y (s); the members of a/z (t) may not be listed: give the App the permission "Members: read"`},
		{"the second reason alone", map[string][]string{reasonTeamDenied: {"a/x (r)", "a/y (s)"}}, []string{reasonTeamUnknown, reasonTeamDenied}, reasonTeamDenied,
			`the members of 2 teams may not be listed: give the App the permission "Members: read"; they are a/x (r), a/y (s)`},
		{"roles", map[string][]string{reasonRoleEmpty: {"r in f", "s in f"}}, []string{reasonQuorumImpossible, reasonRoleEmpty}, reasonRoleEmpty, "nobody holds 2 roles: r in f, s in f"},
		{"seats", map[string][]string{reasonQuorumImpossible: {"one", "two"}}, []string{reasonQuorumImpossible, reasonRoleEmpty}, reasonQuorumImpossible, "one; two"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := problems{by: test.found}
			if reason, text := p.first(test.reasons...); reason != test.reason || text != test.text {
				t.Errorf("got %q, %s\nwant %q, %s", reason, text, test.reason, test.text)
			}
		})
	}
}
