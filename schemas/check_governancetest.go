package schemas

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ParseGovernanceTest reads a governance_test.yaml. Whether the paths exist is
// not judged here. The rest is as with ParseModelDeployment.
func ParseGovernanceTest(file string, content []byte) (*Document[GovernanceTest], Findings) {
	return parse(file, content, KindGovernanceTest, checkGovernanceTest)
}

func checkGovernanceTest(r *report, g *GovernanceTest) {
	r.checkTeamsOnce(g.Spec.Teams)
	if n := len(g.Spec.Cases); n > MaxCases {
		r.fault("spec.cases", CodeTooMany, fmt.Sprintf("spec.cases has %d entries, more than the %d allowed", n, MaxCases), "leave some out")
		return
	}
	named := map[string]int{}
	for i := range g.Spec.Cases {
		c, at := &g.Spec.Cases[i], fmt.Sprintf("spec.cases[%d]", i)
		if first, twice := named[c.Name]; twice {
			r.fault(at+".name", CodeDuplicateValue, fmt.Sprintf("%s.name is that of spec.cases[%d]", at, first), "give it a name of its own")
		} else if c.Name != "" {
			named[c.Name] = i
		}
		r.checkCase(at, c)
		c.complete(g.Spec)
	}
}

// checkTeamsOnce: slugs compare without case, so two spellings are one team.
func (r *report) checkTeamsOnce(teams map[string][]string) {
	seen := map[string]string{}
	for _, team := range slices.Sorted(maps.Keys(teams)) {
		key := strings.ToLower(team)
		if first := seen[key]; first != "" {
			r.fault("spec.teams."+team, CodeDuplicateValue, "the team stands here in two spellings", "keep one of the two")
		}
		seen[key] = team
	}
}

func (r *report) checkCase(at string, c *Case) {
	if r.sound(at+".path") && !IsKnown(c.Path) {
		r.fault(at+".path", CodeInvalidValue, at+".path is none at which a change is judged",
			"write the path of a manifest or of a platform file")
	}
	if r.sound(at+".remove") && r.written(at+".remove") && !c.Remove {
		r.fault(at+".remove", CodeInvalidValue, at+".remove is false", "write true, or leave it out")
	}
	ways := 0
	for _, field := range []string{".patch", ".content", ".remove"} {
		if r.written(at + field) {
			ways++
		}
	}
	if ways != 1 {
		r.fault(at, CodeConflict, fmt.Sprintf("%s has %d of patch, content and remove", at, ways), "write exactly one of them")
	}
	if r.sound(at+".expect") && reflect.ValueOf(c.Expect).IsZero() {
		r.fault(at+".expect", CodeRequired, at+".expect names nothing", "write what the gate has to say, such as verdict: pass")
	}
}

// complete fills in the defaults.
func (c *Case) complete(spec GovernanceTestSpec) {
	if c.Author == "" {
		c.Author = DefaultAuthor
	}
	if c.At.IsZero() {
		c.At = spec.At
	}
	for i := range c.Reviews {
		if c.Reviews[i].Ago == 0 {
			c.Reviews[i].Ago = DefaultAgo
		}
	}
}

// inPatch is the place of a value inside a merge patch, where null means to
// remove what it stands for.
var inPatch = regexp.MustCompile(`^spec\.cases\[[0-9]+\]\.patch[.\[]`)

// fragment keeps a mapping as it is written.
func (d *decoder) fragment(p place, into reflect.Value, _ *Rule) {
	if d.is(p, yaml.MappingNode) {
		into.Set(reflect.ValueOf(newFragment(p.value)))
	}
}

// newFragment takes a mapping without its comments, which have no place in the
// file that it is merged into. The nodes themselves are left as they are.
func newFragment(n *yaml.Node) Fragment { return Fragment{node: withoutComments(n)} }

func withoutComments(n *yaml.Node) *yaml.Node {
	c := *n
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, inner := range n.Content {
		c.Content[i] = withoutComments(inner)
	}
	return &c
}

// MergeInto applies the fragment as a JSON merge patch (RFC 7396) to a YAML
// file: a mapping is merged, null removes, anything else replaces. What the
// patch does not touch stays as it is written; an empty patch only adds a line
// break. The error says that the text is no mapping to merge into.
func (f Fragment) MergeInto(content []byte) ([]byte, error) {
	if f.node == nil || len(f.node.Content) == 0 {
		return append(slices.Clone(content), '\n'), nil
	}
	root, second, err := parseYAML(fromJSON(content))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the file is not YAML: %w", err)
	case second != nil || len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode:
		return nil, errors.New("the file is not one YAML mapping")
	}
	merge(root.Content[0], f.node)
	return yaml.Marshal(root)
}

func merge(into, patch *yaml.Node) {
	for i := 0; i+1 < len(patch.Content); i += 2 {
		key, value := patch.Content[i], patch.Content[i+1]
		at := indexOf(into, key.Value)
		switch {
		case value.Tag == "!!null":
			if at >= 0 {
				into.Content = slices.Delete(into.Content, at, at+2)
			}
		case value.Kind == yaml.MappingNode && at >= 0 && into.Content[at+1].Kind == yaml.MappingNode:
			merge(into.Content[at+1], value)
		default:
			whole := value
			if value.Kind == yaml.MappingNode {
				// The nulls of a patch are no values, also where there is nothing to remove.
				whole = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
				merge(whole, value)
			}
			if at >= 0 {
				into.Content[at+1] = whole
			} else {
				into.Content = append(into.Content, key, whole)
			}
		}
	}
}

// indexOf is where a key stands in a mapping's content; -1 where it does not.
func indexOf(mapping *yaml.Node, key string) int {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Kind == yaml.ScalarNode && mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}
