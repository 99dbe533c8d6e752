package schemas

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFormOfTheYAML(t *testing.T) {
	expectBroken(t, "deployment.yaml", []mutation{
		{"an anchor is refused", "format: mlflow", "format: ¦&f mlflow", CodeAlias},
		{"an alias without its anchor is refused at its line", "format: mlflow", "format: ¦*f", CodeAlias},
		{"a merge key is refused", "    format: mlflow", "    format: mlflow\n    ¦<<: {uri: 's3://b/c'}", CodeAlias},
		{"a quoted merge key is an unknown field", "    format: mlflow", "    format: mlflow\n    ¦\"<<\": x", CodeUnknownField},
		{"a tag is refused", "format: mlflow", "format: ¦!!str mlflow", CodeTag},
		{"a tag of one's own is refused", "format: mlflow", "format: ¦!x mlflow", CodeTag},
		{"the non-specific tag is refused", "format: mlflow", "format: ¦! mlflow", CodeTag},
		{"a tag on a mapping is refused", "replicas: {min", "replicas: ¦!!map {min", CodeTag},
		{"a tag on a key is refused", "    format: mlflow", "    ¦!!str format: mlflow", CodeTag},
		{"a directive is refused", "# A typical", "¦%YAML 1.2\n---\n# A typical", CodeDirective},
		{"a second document is refused", "kind: ModelDeployment\n", "kind: ModelDeployment\n¦---\na: 1\n", CodeSeveralDocuments},
		{"an empty second document is refused as well", "change of tariffs.\n", "change of tariffs.\n¦---\n", CodeSeveralDocuments},
		{"the end of the document may be marked", "change of tariffs.\n", "change of tariffs.\n...\n", ""},
		{"the start of the document may be marked", "# A typical", "---\n# A typical", ""},
		{"a duplicate key is refused at its second place", "    format: mlflow", "    format: mlflow\n    ¦format: onnx", CodeDuplicateKey},
		{"a quoted key duplicates a plain one", "    format: mlflow", "    format: mlflow\n    ¦\"format\": onnx", CodeDuplicateKey},
		{"a key in other case is unknown", "format: mlflow", "format: mlflow\n    ¦Format: mlflow", CodeUnknownField},
		{"an explicit null is refused", "features: [customer_features]", "features: ¦null", CodeNull},
		{"a tilde is a null", "features: [customer_features]", "features: ¦~", CodeNull},
		{"a key without a value is refused", "LOG_LEVEL\n        value: info", "LOG_LEVEL\n        value:¦", CodeNull},
		{"a complex key is refused", "format: mlflow", "format: mlflow\n    ? ¦[a]\n    : b", CodeWrongType},
		{"a number as a key is refused", "format: mlflow", "format: mlflow\n    ¦1: b", CodeWrongType},
		{"a BOM is refused", "# A typical", "¦\ufeff# A typical", CodeEncoding},
		{"NUL is refused", "LOG_LEVEL\n        value: info", "LOG_LEVEL\n        value: i¦\x00o", CodeEncoding},
		{"NEL is refused", "value: info", "value: é¦\u0085o", CodeEncoding},
		{"LS is refused", "value: info", "value: i¦\u2028o", CodeEncoding},
		{"PS is refused", "value: info", "value: i¦\u2029o", CodeEncoding},
		{"an escaped NUL is refused", "value: info", `value: ¦"\0"`, CodeEncoding},
		{"an escaped LS is refused", "value: info", `value: ¦"\L"`, CodeEncoding},
		{"bytes that are not UTF-8 are refused", "value: info", "value: i¦\xff", CodeEncoding},
		{"columns count characters, not bytes", "- name: LOG_LEVEL\n        value: info", `- {name: LOG_LEVEL, value: "é→", ¦value: x}`, CodeDuplicateKey},
		{"CRLF is fine", "kind: ModelDeployment\n", "kind: ModelDeployment\r\n", ""},
	})
}

func TestWholeFiles(t *testing.T) {
	for _, c := range []struct {
		name, text, code string
		at               Position
	}{
		{"an empty file", "", CodeEmptyFile, Position{1, 1}},
		{"only comments", "# nothing\n\n# here\n", CodeEmptyFile, Position{1, 1}},
		{"only a document start", "---\n", CodeEmptyFile, Position{1, 1}},
		{"a list", "- a\n", CodeWrongType, Position{1, 1}},
		{"a text", "hello\n", CodeWrongType, Position{1, 1}},
		{"a null", "null\n", CodeWrongType, Position{1, 1}},
		{"too large", "# " + strings.Repeat("x", MaxFileBytes), CodeTooLarge, Position{}},
		{"UTF-16", "\xff\xfea\x00:\x00", CodeEncoding, Position{1, 1}},
		{"a line that is no YAML", "a: b\nc: d: e\n", CodeSyntax, Position{2, 1}},
		{"a kind that belongs elsewhere", "kind: Team\n", CodeUnknownValue, Position{1, 7}},
		{"a directive after comments", "# c\n\n%TAG ! x\n---\na: 1\n", CodeDirective, Position{3, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, findings := ParseModelDeployment("f.yaml", []byte(c.text))
			if doc != nil {
				t.Error("a document in spite of an error")
			}
			if len(findings) == 0 {
				t.Fatal("no finding")
			}
			expectOne(t, findings, c.code, c.at)
		})
	}
}

func TestDepthAndNumberOfItems(t *testing.T) {
	smoke := func(payload string) mutation {
		return mutation{from: "[[1.0, 2.0, 3.0]]", to: payload}
	}
	// The list stands at depth 5: document, spec, checks, smoke, instances.
	nested := func(levels int) string {
		return strings.Repeat("[", levels) + "1" + strings.Repeat("]", levels)
	}
	items := func(n int) string { return "¦[" + strings.TrimSuffix(strings.Repeat("1,", n), ",") + "]" }
	for _, c := range []struct {
		name, payload, code string
	}{
		{"32 levels are allowed", nested(MaxDepth - 4), ""},
		{"33 are not", nested(MaxDepth - 4)[:MaxDepth-4] + mark + "[1]" + strings.Repeat("]", MaxDepth-4), CodeTooDeep},
		{"1,000 items are allowed", strings.ReplaceAll(items(MaxItems), mark, ""), ""},
		{"1,001 are not", "[" + items(MaxItems+1) + "]", CodeTooMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, at := smoke(c.payload).apply(t, fixture(t, "deployment.yaml"))
			expectOne(t, parserOf("deployment.yaml")("f.yaml", []byte(text)), c.code, at)
		})
	}
}

// A file at the size cap must not hold a worker: the forms that are known to be
// slow in YAML parsers.
func TestHostileFilesAreJudgedInBoundedTime(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, MaxFileBytes/len(s)) }
	for name, text := range map[string]string{
		"brackets":      fill("["),
		"braces":        fill("{"),
		"dashes":        fill("- "),
		"question":      fill("? "),
		"list":          "a: [" + fill("1,")[:MaxFileBytes-10] + "]",
		"flow mapping":  "{" + fill("a,")[:MaxFileBytes-10] + "}",
		"keys":          fill("a: 1\n"),
		"comments":      fill("#\n"),
		"tail comments": fill("a: 1 # x\n#y\n\n"),
		"blank lines":   fill("\n"),
		"folded":        "a: >\n" + fill(" x\n\n")[:MaxFileBytes-10],
		"anchors":       fill("- &a 1\n"),
		"one long line": "a: [\"" + fill("é\",\"")[:MaxFileBytes-20] + "\"]",
		"alias bomb":    "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n",
		"quantity bomb": "spec: {quota: {cpu: 1e999999999, memory: 1e-999999999}}",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			for _, file := range []string{"deployment.yaml", "team.yaml"} {
				if !parserOf(file)("f.yaml", []byte(text)).Failed() {
					t.Error("accepted")
				}
			}
			const bound = 20 * time.Second // seen: 0.3 s; wide for a busy machine
			if d := time.Since(start); d > bound {
				t.Errorf("took %s", d)
			}
		})
	}
}

func TestEverythingWrongIsReportedAtOnce(t *testing.T) {
	text := `apiVersion: mlops-platform.com/v1
kind: ModelDeployment
metadata:
  name: Churn
spec:
  team: data-science
  enviroment: production
  model:
    name: churn-predictor
    version: 2
    format: mflow
  serving:
    replicas: {min: 5, max: 2}
    resources:
      requests: {cpu: one, memory: 2Gi}
      limits: {memory: 1Gi}
  rollout:
    canary: {steps: [50, 10], interval: 10}
  governance:
    businessImpact: high
    customerExposure: direct
    dataSensitivity: pii
    explainability: yes
`
	want := []string{
		"1:13 unknown-value", "4:9 invalid-value", "5:1 required", "7:3 unknown-field", "10:14 wrong-type", "11:13 unknown-value",
		"13:29 out-of-range", "15:23 invalid-value", "16:24 out-of-range", "18:26 not-ascending", "18:41 invalid-value", "19:3 required",
	}
	_, findings := ParseModelDeployment("f.yaml", []byte(text))
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%d:%d %s", f.Line, f.Column, f.Code))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestJSONIsFine(t *testing.T) {
	text := `{
	"apiVersion": "mlops-platform.com/v1alpha1", "kind": "ModelDeployment", "metadata": {"name": "small"},
	"spec": {
		"team": "data-science", "environment": "staging",
		"model": {"name": "small", "alias": "champion", "format": "sklearn", "uri": "s3:\/\/bucket\/path"},
		"serving": {"resources": {"requests": {"cpu": 1, "memory": "1Gi"}}, "timeoutSeconds": 30},
		"governance": {"businessImpact": "low", "customerExposure": "none", "dataSensitivity": "public", "regulations": [], "explainability": "none"},
		"justification": "caf\u00e9 \ud83d\ude00 \\ud83d\\ude00 !"
	}
}`
	doc, findings := ParseModelDeployment("f.yaml", []byte(text))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if got := doc.Value.Spec.Justification; got != "café 😀 \\ud83d\\ude00 !" {
		t.Errorf("justification: %q", got)
	}
	if doc.Value.Spec.Model.URI != "s3://bucket/path" {
		t.Errorf("uri: %q", doc.Value.Spec.Model.URI)
	}
	half := strings.Replace(text, `\ude00`, "", 1)
	if _, findings := ParseModelDeployment("f.yaml", []byte(half)); !findings.Failed() {
		t.Error("half a character is accepted")
	}
}

// The places of a cached document are looked up by many readers at once.
func TestPositionsMayBeAskedConcurrently(t *testing.T) {
	doc, findings := ParseTeam("f.yaml", []byte(fixture(t, "team.yaml")))
	if doc == nil {
		t.Fatal(findings)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			if at := doc.Position("spec.costCenter"); at != (Position{6, 15}) {
				t.Errorf("at %v", at)
			}
			_ = doc.Value.Spec.Quota.CPU.String()
		})
	}
	readers.Wait()
}
