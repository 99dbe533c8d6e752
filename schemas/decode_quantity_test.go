package schemas

import (
	"strings"
	"testing"
)

func TestAnAmountThatNobodyMeansIsAnsweredByTheOneThatWasMeant(t *testing.T) {
	for written, want := range map[string]string{
		"memory: 512m":     `is in thousandths of a byte (m); did you mean "512Mi"?`,
		"memory: 1.5m":     `did you mean "1.5Mi"?`,
		"memory: 2":        "is less than 1Mi; write it with its unit, such as 512Mi or 2Gi",
		"memory: 1100000u": "is less than 1Mi",
	} {
		text := strings.Replace(fixture(t, "deployment.yaml"), "memory: 2Gi", written, 1)
		_, findings := ParseModelDeployment("f.yaml", []byte(text))
		if len(findings) != 1 || !strings.Contains(findings[0].String(), want) {
			t.Errorf("%s: %v", written, findings)
		}
	}
}

// What has no bound of its own must not be computed wrong because it is large.
func TestLargeAmountsAreWhole(t *testing.T) {
	for _, text := range []string{"1e30", "9E", "123456789012345678901234567890", "1Ei"} {
		q, err := parseQuantity(text)
		if err != nil {
			t.Fatal(err)
		}
		if why, _ := memoryFault(text, q); why != "" {
			t.Errorf("%s is %s", text, why)
		}
	}
}
