package nodes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oneNode = `apiVersion: v1
kind: Node
metadata: {name: a}
spec: {taints: [{key: phi, value: "true", effect: NoSchedule}]}
`

func TestDefaultNodesHaveDistinctNamesAndSpotNodesAreTainted(t *testing.T) {
	all := Default()
	if err := check(all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 15 {
		t.Errorf("got %d nodes, want 15", len(all))
	}
	for _, node := range all {
		spot := false
		for _, taint := range node.Spec.Taints {
			spot = spot || taint.Key == "spot-instance"
		}
		if want := node.Labels["capacity"] == "SPOT"; spot != want {
			t.Errorf("%s: spot taint %v, want %v", node.Name, spot, want)
		}
		for resource, free := range node.Status.Allocatable {
			if total := node.Status.Capacity[resource]; free.Cmp(total) > 0 {
				t.Errorf("%s: allocatable %s exceeds its capacity", node.Name, resource)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(oneNode), "\n", "\n  ")
	sequence := "-" + indented[1:] + "\n"
	for name, test := range map[string]struct {
		content string
		count   int
		problem string
	}{
		"a sequence":                        {content: sequence, count: 1},
		"a list":                            {content: "apiVersion: v1\nkind: List\nitems:\n" + sequence, count: 1},
		"documents":                         {content: "# nodes\n---\n" + oneNode + "---\n" + strings.ReplaceAll(oneNode, "name: a", "name: b"), count: 2},
		"a misspelled field is refused":     {content: strings.ReplaceAll(oneNode, "taints", "taint"), problem: "taint"},
		"another kind is refused":           {content: strings.ReplaceAll(oneNode, "kind: Node", "kind: Pod"), problem: "only v1 Node"},
		"a name used twice is refused":      {content: oneNode + "---\n" + oneNode, problem: "twice"},
		"a node without name is refused":    {content: strings.ReplaceAll(oneNode, "name: a", ""), problem: "metadata.name"},
		"a file without nodes is refused":   {content: "# nothing\n", problem: "no Node"},
		"a file that is no YAML is refused": {content: "{", problem: "nodes.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nodes.yaml")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			all, err := Load(path)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Fatalf("got %v, want an error about %q", err, test.problem)
				}
				return
			}
			if err != nil || len(all) != test.count {
				t.Fatalf("got %d nodes, %v; want %d", len(all), err, test.count)
			}
		})
	}
}
