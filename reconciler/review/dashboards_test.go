package review

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/render"
)

func configMap(name string, data map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "n"}, "data": data,
	}}
}

func TestADashboardIsToldInALine(t *testing.T) {
	const one, other = `{"title":"a","schemaVersion":39,"panels":[` + "\n" + `{"id":1}` + "\n]}\n", `{"title":"b","schemaVersion":39,"panels":[]}`
	without := func(fields string) string { return `{"title":"a",` + fields + `}` }
	board := func(text string) []*unstructured.Unstructured {
		return []*unstructured.Unstructured{configMap("m.dashboard", map[string]any{"m.json": text, "plain": "kept"})}
	}
	secret := board(one)
	secret[0].SetKind("Secret")
	for name, tc := range map[string]struct {
		before, after []*unstructured.Unstructured
		told          string
		shows, not    []string
	}{
		"added":                     {nil, board(one), "dashboard `m.dashboard` added, 3 lines", []string{"+  m.json: (dashboard, 3 lines)", "+  plain: kept"}, []string{"schemaVersion"}},
		"removed":                   {board(one), nil, "dashboard `m.dashboard` removed, 3 lines", []string{"-  m.json: (dashboard, 3 lines)", "-  plain: kept"}, []string{"schemaVersion"}},
		"changed":                   {board(one), board(other), "dashboard `m.dashboard` changed, 1 line", []string{"+  m.json: (dashboard, 1 line)"}, []string{"schemaVersion"}},
		"unchanged":                 {board(one), append(board(one), configMap("new", map[string]any{"a": "b"})), "", []string{"+  a: b"}, []string{"(dashboard"}},
		"other data":                {nil, board(without(`"schemaVersion":39`)), "", []string{"schemaVersion"}, []string{"(dashboard"}},
		"data beside a dashboard's": {nil, board(without(`"schemaVersion":39,"panels":[],"password":"x"`)), "", []string{"password"}, []string{"(dashboard"}},
		"data in its form":          {nil, board(without(`"schemaVersion":"x","panels":{}`)), "", []string{"panels"}, []string{"(dashboard"}},
		"no JSON":                   {nil, board(one + "x: y"), "", []string{"schemaVersion"}, []string{"(dashboard"}},
		"no ConfigMap":              {nil, secret, "", []string{"schemaVersion"}, []string{"(dashboard"}},
		"it becomes something else": {board(one), board("a: b"), "dashboard `m.dashboard` removed, 3 lines", []string{"-  m.json: (dashboard, 3 lines)", "+  m.json: 'a: b'"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChange(source.FileChange{}, func(s string) string { return s })
			c.Model = "m"
			before, after := yamlOf(t, tc.before), yamlOf(t, tc.after)
			var err error
			if c.Diff, err = unifiedDiff(c, before, after); err != nil {
				t.Fatal(err)
			}
			if err := c.abridge(tc.before, tc.after); err != nil {
				t.Fatal(err)
			}
			comment := sectionBody(c) + diffBlock(c)
			expect(t, comment, append(tc.shows, tc.told)...)
			expectNot(t, comment, tc.not...)
			if tc.told == "" {
				expectNot(t, comment, "Not shown here")
			}
			if yamlOf(t, tc.before) != before || yamlOf(t, tc.after) != after {
				t.Error("the objects are changed")
			}
		})
	}
}

func yamlOf(t *testing.T, objects []*unstructured.Unstructured) string {
	t.Helper()
	text, err := render.YAML(objects)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The dashboard that Mooring renders for a new model is one, and the report has
// all of it.
func TestANewModelsDashboardDoesNotFillTheComment(t *testing.T) {
	const added = "models/data-science/ranker-two/production/deployment.yaml"
	repo, pr, base := pullRequestOf(t, "change", nil, func(files map[string]string) {
		files[added] = strings.ReplaceAll(files[rankerPath], "product-ranker", "ranker-two")
	})
	report := (&judgement{t, repo, Request{Base: base, Head: pr.Head, People: Nobody(), Repository: "models"}}).at(0)
	comment := Comment(report)
	expect(t, comment, "dashboard `ranker-two.dashboard` added, 13 lines", "+kind: InferenceService")
	expectNot(t, comment, "schemaVersion")
	expect(t, report.Changes[0].Diff, "schemaVersion")
}
