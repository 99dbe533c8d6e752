package schemas

import (
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"
)

// ParseModelDeployment reads a deployment.yaml. The document is nil if any
// finding is an error. What the file says about other files (team, environment,
// its own path) is Platform.CheckDeployment's to judge.
//
// The content must not be changed afterwards: the document looks positions up
// in it.
func ParseModelDeployment(file string, content []byte) (*Document[ModelDeployment], Findings) {
	return parse(file, content, KindModelDeployment, checkModelDeployment)
}

// ParseGovernance reads governance.yaml and checks what it says about itself:
// roles, boards, levels. The rest is as with ParseModelDeployment.
func ParseGovernance(file string, content []byte) (*Document[Governance], Findings) {
	return parse(file, content, KindGovernance, checkGovernance)
}

// ParseEnvironment reads an environments/ENVIRONMENT.yaml. The rest is as with
// ParseModelDeployment.
func ParseEnvironment(file string, content []byte) (*Document[Environment], Findings) {
	return parse(file, content, KindEnvironment, checkEnvironment)
}

// ParseTeam reads a teams/TEAM.yaml. The rest is as with ParseModelDeployment.
func ParseTeam(file string, content []byte) (*Document[Team], Findings) {
	return parse(file, content, KindTeam, checkTeam)
}

// parse is the one way from bytes to a value: the text, the form of the YAML,
// the header, the fields, and last the rules between fields with the defaults.
func parse[T any](file string, content []byte, kind Kind, check func(*report, *T)) (*Document[T], Findings) {
	content = fromJSON(content)
	root, findings := readTree(file, content)
	if findings.Failed() {
		return nil, findings
	}
	r := &report{file: file, root: root}
	if root.Kind != yaml.MappingNode {
		r.at(nodePosition(root), "", CodeWrongType, "the document must be a mapping, not "+nodeKind(root.Kind),
			"begin with apiVersion, kind, metadata and spec")
		return nil, r.findings
	}
	d := &decoder{report: r, refused: inspect(r, content)}
	doc := &Document[T]{File: file, places: &places{content: content}}
	if d.header(kind) {
		d.value(place{value: root}, reflect.ValueOf(&doc.Value).Elem(), &Rule{})
		check(r, &doc.Value)
	}
	r.findings.Sort()
	if r.findings.Failed() {
		return nil, r.findings
	}
	return doc, r.findings
}

// header refuses a file of another kind at once: judged by the wrong rules,
// every field of it would be a finding.
func (d *decoder) header(kind Kind) bool {
	_, n, rest := find(d.root, "kind")
	if rest != "" || n.Kind != yaml.ScalarNode || n.Value == string(kind) {
		return true
	}
	for _, other := range texts(KindModelDeployment, KindGovernance, KindEnvironment, KindTeam, KindGovernanceTest) {
		if n.Value == other {
			d.at(nodePosition(n), "kind", CodeUnknownValue,
				fmt.Sprintf("a file at this path is of kind %s, not %s", kind, other), "move the file or write the kind that belongs here")
			return false
		}
	}
	return true
}
