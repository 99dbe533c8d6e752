package compliance_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mlops-platform/mooring/policy/compliance"
)

func TestTheDefaultControlsPassTheirTests(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"controls.rego", "controls_test.rego"} {
		content, err := os.ReadFile(filepath.Join("defaults", name))
		if err != nil {
			t.Fatal(err)
		}
		files["defaults/"+name] = content
	}
	bundle, findings := compliance.Compile(files)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	results, err := bundle.Test(t.Context(), nil)
	if err != nil || len(results) < 12 {
		t.Fatal(err, len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: line %d: %s (%s)", r.Name, r.FailedLine, r.Message, r.Expression)
		}
	}
}

func TestOwnRulesAndDefaultControls(t *testing.T) {
	spot := func(controls bool) map[string]any {
		env := map[string]any{"capacity": "spot", "images": map[string]any{"digest": "required"}, "pools": []any{}}
		if controls {
			env["controls"] = map[string]any{"encryptionAtRest": true, "auditLogging": true}
		}
		return map[string]any{
			"manifest":    map[string]any{"spec": map[string]any{"governance": map[string]any{"dataSensitivity": "phi"}, "serving": map[string]any{}}},
			"environment": map[string]any{"spec": env}, "objects": []any{},
		}
	}
	codes := func(list []compliance.Violation) []string {
		found := map[string]bool{}
		for _, v := range list {
			found[v.Code] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	for name, tc := range map[string]struct {
		own        string
		controls   bool
		deny, warn []string
		silenced   int
	}{
		"controls that are declared fail":           {"", true, []string{"phi-on-demand", "phi-pool"}, nil, 0},
		"controls that are not declared warn":       {"", false, nil, []string{"phi-audit", "phi-encryption", "phi-on-demand", "phi-pool"}, 0},
		"an exception silences and is shown":        {`exception contains {"code": "phi-pool", "msg": "one tenant"}`, true, []string{"phi-on-demand"}, nil, 1},
		"an exception silences a warning too":       {`exception contains {"code": "phi-pool", "msg": "one tenant"}`, false, nil, []string{"phi-audit", "phi-encryption", "phi-on-demand"}, 1},
		"an own rule of the code says it once":      {`deny contains {"code": "phi-pool", "msg": "ours"}`, true, []string{"phi-on-demand", "phi-pool"}, nil, 0},
		"a helper of the same name changes nothing": {"violations := set()\n\ndeclared := false", true, []string{"phi-on-demand", "phi-pool"}, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := compliance.Judge(t.Context(), compile(t, tc.own), spot(tc.controls))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(codes(r.Deny), tc.deny) || !slices.Equal(codes(r.Warn), tc.warn) || len(r.Deny) != len(tc.deny) {
				t.Errorf("%+v", r)
			}
			silenced := 0
			for _, e := range r.Exceptions {
				silenced += len(e.Silenced)
			}
			if silenced != tc.silenced {
				t.Errorf("%d silenced: %+v", silenced, r.Exceptions)
			}
		})
	}
}
