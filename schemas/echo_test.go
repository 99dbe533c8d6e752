package schemas

import (
	"strings"
	"testing"
)

// Values that look like credentials; put together here so that scanners do not
// take this file for a leak.
var credentials = []string{
	"AKIA" + "IOSFODNN7EXAMPLE",
	"ghp" + "_0123456789abcdefghijABCDEFGHIJ012345",
	"xox" + "b-1234567890-abcdefghij",
	"-----BEGIN" + " PRIVATE KEY-----",
	"wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
	"eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0",
	"password" + "=hunter2hunter2",
	"0123456789abcdef" + "0123456789abcdef",
	"qwzxkvjhgpbnmrtyulds" + "oaie",
	"https://user:pw" + "@example.com",
}

func TestSecretsAreNeverEchoed(t *testing.T) {
	for _, secret := range credentials {
		quoted := `"` + secret + `"`
		for _, m := range []mutation{
			{from: "team: data-science", to: "team: " + quoted},
			{from: "format: mlflow", to: "format: " + quoted},
			{from: "capacity: spot", to: "capacity: " + quoted},
			{from: "capacity: spot", to: "pool: " + quoted},
			{from: "{min: 2, max: 10}", to: "{min: " + quoted + "}"},
			{from: "{min: 2, max: 10}", to: "{" + quoted + ": 2}"},
			{from: "{min: 2, max: 10}", to: "{" + quoted + ": {" + quoted + ": null}}"},
			{from: "{min: 2, max: 10}", to: "{" + quoted + ": 1, " + quoted + ": 2}"},
			{from: "interval: 10m", to: "interval: " + quoted},
			{from: "businessImpact: high", to: "businessImpact: " + quoted},
			{from: "kind: ModelDeployment", to: "kind: " + quoted},
			{from: "name: LOG_LEVEL", to: "name: " + quoted},
			{from: "features: [customer_features]", to: "features: *" + strings.Fields(secret)[0]},
			{from: "features: [customer_features]", to: "features: {" + quoted + ": [a: b: c"},
			{from: "[[1.0, 2.0, 3.0]]", to: "[{" + quoted + ": .nan}]"},
		} {
			text, _ := m.apply(t, fixture(t, "deployment.yaml"))
			files := exampleTree(t)
			files[4].Content = []byte(text)
			_, findings := LoadRepository(files)
			for _, f := range findings {
				if said := f.Message + f.Remedy; strings.Contains(said, secret) {
					t.Errorf("echoed: %s", f)
				}
			}
		}
	}
}

func TestOrdinaryValuesAreEchoed(t *testing.T) {
	for _, value := range []string{
		"production", "data-science", "senior-data-scientist", "nvidia.com/mig-1g.5gb", "registry.example.com/", "2026-07-20",
		"customer_features", "{team}-{environment}", "America/New_York", "churn-predictor-v2-eu-west-1",
	} {
		if echo(value) != `"`+value+`"` {
			t.Errorf("%s is taken for a secret", value)
		}
	}
}

func TestSuggestionsNameTheNearest(t *testing.T) {
	for written, want := range map[string]string{
		"mflow":   `did you mean "mlflow"?`,
		"Sklearn": `did you mean "sklearn"?`,
		"tritno":  `did you mean "triton"?`,
		"cobol":   "known are custom, mlflow, sklearn, triton",
		"a-very-long-value-that-is-nothing-like-any-of-them-and-goes-on-and-on": "known are custom, mlflow, sklearn, triton",
	} {
		if got := suggest(written, []string{"sklearn", "mlflow", "triton", "custom"}); got != want {
			t.Errorf("%s: %s, want %s", written, got, want)
		}
	}
}

func TestACPUIsNoSlipForAGPU(t *testing.T) {
	for written, known := range map[string][]string{"gpu": {"cpu", "memory"}, "GPU-large": {"cpu-large"}, "cpu-large": {"gpu-large"}} {
		if got := suggest(written, known); !strings.HasPrefix(got, "known are ") {
			t.Errorf("%s: %s", written, got)
		}
	}
	if got := suggest("gpus", []string{"cpu", "gpu"}); got != `did you mean "gpu"?` {
		t.Error(got)
	}
}

func TestASuggestionAndWhatElseToDoReadAsOneSentence(t *testing.T) {
	for suggestion, want := range map[string]string{
		`did you mean "a"?`: `did you mean "a"? if not, ask`,
		"known are a, b":    "known are a, b; ask",
	} {
		if got := orElse(suggestion, "ask"); got != want {
			t.Error(got)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}} {
		if got := editDistance(c.a, c.b); got != c.want || editDistance(c.b, c.a) != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
