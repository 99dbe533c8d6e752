package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/schemas"
)

const hostile = "Ping @acme/board\n# <img src=x> [click](https://evil.example) **now** \u202etxt"

func repositoryWithBoards(t *testing.T) client.Client {
	t.Helper()
	at := func(s string) metav1.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return metav1.NewTime(v)
	}
	due := at("2026-11-28T14:00:00Z")
	next := schemas.BoardMeeting{From: at("2026-11-26T19:00:00Z"), To: at("2026-11-26T21:00:00Z"), TimeZone: "America/New_York"}
	repo := &schemas.ModelRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: "mooring-system", Name: "models"},
		Status: schemas.ModelRepositoryStatus{Boards: []schemas.BoardStatus{
			{Name: "cab", Next: next, Count: 51, Items: []schemas.AgendaItem{{
				PullRequest: 7, Title: hostile, URL: "https://github.com/acme/models/pull/7", Author: "ada",
				Change: "risk/fraud in production", Summary: "version 2 → version 3", Level: schemas.RiskHigh, Score: 36,
				Filled: []schemas.ApprovedBy{{Role: "legal", Login: "lou"}}, Missing: []string{"vp-engineering"},
				Since: at("2026-11-23T14:00:00Z"), Due: &due,
			}}},
			{Name: "ethics", Next: next},
		}},
	}
	scheme, err := controller.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(repo).WithStatusSubresource(repo).Build()
}

func TestAgendaIsAPageForTheInvitation(t *testing.T) {
	cluster := repositoryWithBoards(t)
	show := func(f agendaFlags, as format) string {
		f.namespace = "mooring-system"
		boards, err := f.boards(t.Context(), cluster)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := writeAgendas(&out, as, boards); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	page := show(agendaFlags{board: "cab"}, formatMarkdown)
	for _, says := range []string{
		"## cab: Thu 2026-11-26 14:00–16:00 America/New\\_York\n", "51 changes; the first 1 are listed.", "### Pull request 7: ",
		"- **Due:** Sat 2026-11-28 14:00 UTC", "- **Risk:** high \\(36\\)", "- **Approved by:** legal \\(lou\\)", "- **Open seats:** vp-engineering",
		"- **What:** version 2 → version 3", "- **Address:** https://github.com/acme/models/pull/7\n",
	} {
		if !strings.Contains(page, says) {
			t.Errorf("it does not say %q:\n%s", says, page)
		}
	}
	for _, harm := range []string{"@acme", " <img", " [click", "https://evil", " **now", "\u202e", "\n# "} {
		if strings.Contains(page, harm) {
			t.Errorf("the title reaches the page as %q:\n%s", harm, page)
		}
	}
	text := show(agendaFlags{}, formatText)
	if !strings.Contains(text, "#7 Ping @acme/board # <img") || !strings.Contains(text, "ethics: Thu") || !strings.Contains(text, "Nothing waits") || strings.Contains(text, "\u202e") {
		t.Errorf("%s", text)
	}
	var decoded []struct {
		Repository, Name string
		Count            int
		Items            []struct{ PullRequest int }
	}
	if err := json.Unmarshal([]byte(show(agendaFlags{repository: "models"}, formatJSON)), &decoded); err != nil {
		t.Fatal(err)
	}
	if len(decoded) != 2 || decoded[0].Repository != "models" || decoded[0].Name != "cab" || decoded[0].Count != 51 || decoded[0].Items[0].PullRequest != 7 {
		t.Errorf("%+v", decoded)
	}
}

func TestAgendaOfWhatDoesNotExistIsAWrongCall(t *testing.T) {
	cluster := repositoryWithBoards(t)
	for _, f := range []agendaFlags{
		{namespace: "mooring-system", board: "cabb"}, {namespace: "mooring-system", repository: "modells"}, {namespace: "elsewhere"},
	} {
		var wrong usageError
		if _, err := f.boards(t.Context(), cluster); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
