package schemas

import (
	"os"
	"strings"
	"testing"
)

const manifestPath = "models/data-science/churn-predictor/production/deployment.yaml"

// fixture is a file of testdata: each is a valid example of its kind.
func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exampleTree is a small, valid model repository.
func exampleTree(t testing.TB) []File {
	t.Helper()
	staging := strings.NewReplacer("name: production", "name: staging", "  promotion: {after: staging}\n", "").Replace(fixture(t, "environment.yaml"))
	return []File{
		{Path: GovernancePath, Content: []byte(fixture(t, "governance.yaml"))},
		{Path: "environments/production.yaml", Content: []byte(fixture(t, "environment.yaml"))},
		{Path: "environments/staging.yaml", Content: []byte(staging)},
		{Path: "teams/data-science.yaml", Content: []byte(fixture(t, "team.yaml"))},
		{Path: manifestPath, Content: []byte(fixture(t, "deployment.yaml"))},
	}
}
