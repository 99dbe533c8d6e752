package schemas

import (
	"strings"
	"testing"
)

func TestARemedyShowsWhatToWrite(t *testing.T) {
	for name, c := range map[string]struct{ file, from, to, want string }{
		"one entry for a list":       {"deployment.yaml", "regulations: [gdpr]", "regulations: gdpr", "must be a list, not a single value; begin each entry with -, or write it in brackets: [gdpr]"},
		"entries without brackets":   {"deployment.yaml", "regulations: [gdpr]", "regulations: gdpr, sox", "brackets: [a, b]"},
		"what may be a secret":       {"deployment.yaml", "regulations: [gdpr]", "regulations: ghp_abcdef", "brackets: [a, b]"},
		"a command's line":           {"deployment.yaml", "regulations: [gdpr]", "regulations: serve --pw hunter2", "brackets: [a, b]"},
		"a mapping for a list":       {"deployment.yaml", "regulations: [gdpr]", "regulations: {a: b}", "begin each entry with -"},
		"a value for a mapping":      {"deployment.yaml", "replicas: {min: 2, max: 10}", "replicas: 2", "write its fields below it, as field: value; they are min, max"},
		"a value for a free mapping": {"team.yaml", "roles: {team-lead: {users: [octo-lead]}}", "roles: x", "write keys and values below it"},
		"a list for a value":         {"deployment.yaml", "format: mlflow", "format: [mlflow]", "write one value, without brackets"},
		"a GPU among resources":      {"deployment.yaml", "memory: 8Gi}", "memory: 8Gi, gpu: 1}", "GPUs are asked for by spec.serving.accelerator"},
		"GPUs of a node":             {"environment.yaml", "allocatable: {cpu: 7910m,", "allocatable: {gpu: 1, cpu: 7910m,", "a pool's GPUs stand in its accelerator"},
		"a slip in a quota of GPUs":  {"team.yaml", "gpu: 4}", "gpu: 4, gpus: 4}", `did you mean "gpu"?`},
		"a metric of GPUs":           {"deployment.yaml", "capacity: spot", "autoscaling: {metric: gpu, target: 5}", "known are concurrency, cpu,"},
	} {
		t.Run(name, func(t *testing.T) {
			text := fixture(t, c.file)
			if strings.Count(text, c.from) != 1 {
				t.Fatalf("%q stands %d times in the example", c.from, strings.Count(text, c.from))
			}
			findings := parserOf(c.file)("f.yaml", []byte(strings.Replace(text, c.from, c.to, 1)))
			if len(findings) != 1 || !strings.Contains(findings[0].String(), c.want) {
				t.Errorf("%v", findings)
			}
		})
	}
}
