package review

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// cluster answers every comparison alike, and keeps what it was asked.
type cluster struct {
	diff  *LiveDiff
	err   error
	asked map[schemas.Unit]int
}

func (c *cluster) Compare(_ context.Context, unit schemas.Unit, objects []*unstructured.Unstructured) (*LiveDiff, error) {
	if c.asked == nil {
		c.asked = map[schemas.Unit]int{}
	}
	c.asked[unit] = len(objects)
	return c.diff, c.err
}

func TestTheLiveClusterIsToldAndDecidesNothing(t *testing.T) {
	changed := &LiveDiff{Phase: schemas.PhaseFailed, Version: "1", Revision: strings.Repeat("a", 40), Unchanged: 3, Objects: []LiveObject{
		{Object: "InferenceService/ns/m", Action: "change", Fields: []LiveField{{Path: ".spec.predictor.minReplicas", Before: "1", After: "2"}}},
		{Object: "ConfigMap/ns/m", Action: "create"},
	}}
	refused := &LiveDiff{Objects: []LiveObject{{Object: "InferenceService/ns/m", Action: "refused", Refusal: "exceeded quota ``` @octo-vp"}}}
	for _, tc := range []struct {
		name    string
		cluster *cluster
		says    []string
		code    string
	}{
		{"an environment of another cluster is not spoken of", &cluster{}, nil, ""},
		{"what would change is listed", &cluster{diff: changed}, []string{
			"runs version 1 from aaaaaaaaaaaa (Failed); of 5 objects the merge would: create 1, change 1",
			"change InferenceService/ns/m\n    .spec.predictor.minReplicas: 1 → 2\ncreate ConfigMap/ns/m\n"}, ""},
		{"nothing to change is said", &cluster{diff: &LiveDiff{Version: "2"}}, []string{"runs version 2; the merge would change nothing in it"}, ""},
		{"a refusal warns before the merge", &cluster{diff: refused}, []string{"holds nothing of this model", "````text\nrefused InferenceService/ns/m\n    exceeded quota ``` @octo-vp\n````"}, CodeClusterRefuses},
		{"a cluster that cannot say is a warning", &cluster{err: errors.New("timeout")}, []string{"could not be compared: timeout"}, CodeNotCompared},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repo, pr, base := pullRequest(t, "change")
			req := Request{Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 6, 10, 12, 0, 0, 0, time.UTC)}
			without, err := Evaluate(t.Context(), repo, req)
			if err != nil {
				t.Fatal(err)
			}
			req.Cluster = tc.cluster
			report, err := Evaluate(t.Context(), repo, req)
			if err != nil {
				t.Fatal(err)
			}
			if report.Verdict != without.Verdict || report.Changes[0].Digest != without.Changes[0].Digest {
				t.Errorf("the cluster changed the verdict %s to %s", without.Verdict, report.Verdict)
			}
			if n := tc.cluster.asked[report.Changes[0].unit()]; n == 0 {
				t.Error("the cluster was not asked about the rendered objects")
			}
			if got := hasCode(report.Changes[0].Findings, tc.code); got != (tc.code != "") {
				t.Errorf("the findings are %v", report.Changes[0].Findings)
			}
			comment := Comment(report)
			for _, s := range tc.says {
				if !strings.Contains(strings.NewReplacer(`\(`, "(", `\)`, ")", joiner, "").Replace(comment), s) {
					t.Errorf("the comment lacks %q:\n%s", s, comment)
				}
			}
			if len(tc.says) == 0 && strings.Contains(comment, "Live cluster") {
				t.Error("the comment speaks of a cluster that does not serve this")
			}
		})
	}
}

func TestWhatFailsIsNotSentToTheCluster(t *testing.T) {
	repo, pr, base := pullRequest(t, "change")
	c := &cluster{diff: &LiveDiff{}}
	// In a freeze the change fails.
	report, err := Evaluate(t.Context(), repo, Request{
		Base: base, Head: pr.Head, People: Nobody(), Now: time.Date(2026, 12, 25, 12, 0, 0, 0, time.UTC), Cluster: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.Verdict != policy.Fail || len(c.asked) > 0 {
		t.Errorf("%s, and the cluster was asked about %v", report.Verdict, c.asked)
	}
}

func TestALongListOfLiveChangesIsCut(t *testing.T) {
	d := &LiveDiff{}
	for range 100 {
		d.Objects = append(d.Objects, LiveObject{Object: "ConfigMap/a/b", Action: "create"})
	}
	if lines := d.lines(); strings.Count(lines, "\n") != maxLiveLines+1 || !strings.HasSuffix(lines, "and 40 more lines\n") {
		t.Error(lines)
	}
}
