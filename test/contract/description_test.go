package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	githubtest "github.com/mlops-platform/mooring/test/github"
)

const descriptionFile = "node_modules/@octokit/openapi/generated/api.github.com.json"

// description is the part of GitHub's API description that the server's routes are in.
type description struct {
	doc    *openapi3.T
	routes []route
}

// route is one described path.
type route struct {
	template string // as described, with GitHub's parameter names
	names    []string
	pattern  *regexp.Regexp
}

// loadOnce reads the description once per run: the file has 13 MB.
var loadOnce = sync.OnceValues(load)

func describe(t *testing.T) *description {
	t.Helper()
	d, err := loadOnce()
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatal("GitHub's API description is not installed: run npm ci --prefix test/contract")
		}
		t.Skip("GitHub's API description is not installed: run npm ci --prefix test/contract")
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func load() (*description, error) {
	data, err := os.ReadFile(descriptionFile)
	if err != nil {
		return nil, err
	}
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, err
	}
	pruned, err := prune(whole)
	if err != nil {
		return nil, err
	}
	if data, err = json.Marshal(pruned); err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("load the pruned description: %w", err)
	}
	amend(doc)
	d := &description{doc: doc}
	for template := range doc.Paths.Map() {
		d.routes = append(d.routes, compile(template))
	}
	// The fewer parameters, the closer the match: /issues/comments/7 before /issues/{n}/comments.
	slices.SortFunc(d.routes, func(a, b route) int {
		return len(a.names) - len(b.names)
	})
	return d, nil
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// shape is a path without the names of its parameters, which GitHub and the server choose differently.
func shape(path string) string { return parameter.ReplaceAllString(path, "{}") }

// prune keeps the paths that the server serves and the components that those need.
func prune(whole map[string]any) (map[string]any, error) {
	wanted := map[string]bool{}
	for _, r := range githubtest.Routes() {
		_, path, _ := strings.Cut(r, " ")
		wanted[shape(path)] = true
	}
	paths := map[string]any{}
	for path, item := range whole["paths"].(map[string]any) {
		if wanted[shape(path)] {
			paths[path] = item
			delete(wanted, shape(path))
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("the server has paths that GitHub does not describe: %v", wanted)
	}
	dropExamples(paths)
	components := map[string]any{}
	if err := gather(paths, whole["components"].(map[string]any), components); err != nil {
		return nil, err
	}
	// Errors that an operation does not list are still GitHub's basic error.
	basic := map[string]any{"$ref": "#/components/schemas/basic-error"}
	if err := gather(basic, whole["components"].(map[string]any), components); err != nil {
		return nil, err
	}
	return map[string]any{"openapi": whole["openapi"], "info": whole["info"], "paths": paths, "components": components}, nil
}

func dropExamples(node any) {
	switch n := node.(type) {
	case map[string]any:
		delete(n, "examples")
		for _, v := range n {
			dropExamples(v)
		}
	case []any:
		for _, v := range n {
			dropExamples(v)
		}
	}
}

// gather copies every component that a node refers to, and those that they refer to.
func gather(node any, from, into map[string]any) error {
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			return gatherRef(ref, from, into)
		}
		for _, v := range n {
			if err := gather(v, from, into); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range n {
			if err := gather(v, from, into); err != nil {
				return err
			}
		}
	}
	return nil
}

func gatherRef(ref string, from, into map[string]any) error {
	parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
	if len(parts) != 2 {
		return fmt.Errorf("a reference of an unknown form: %s", ref)
	}
	kind, name := parts[0], parts[1]
	group, _ := into[kind].(map[string]any)
	if group == nil {
		group = map[string]any{}
		into[kind] = group
	}
	if _, known := group[name]; known {
		return nil
	}
	component, ok := from[kind].(map[string]any)[name]
	if !ok {
		return fmt.Errorf("a reference to nothing: %s", ref)
	}
	if kind != "examples" {
		dropExamples(component)
	}
	group[name] = component
	return gather(component, from, into)
}

// amend says where GitHub is known to answer otherwise than it describes, and makes requests strict: the
// description allows unknown fields there, and an unknown field is a typing error that nobody would notice.
func amend(doc *openapi3.T) {
	for _, name := range []string{"pull-request", "pull-request-simple"} {
		// The repository of the head is null once the fork has been deleted.
		head := doc.Components.Schemas[name].Value.Properties["head"].Value
		repo := *head.Properties["repo"].Value
		repo.Nullable = true
		head.Properties["repo"] = &openapi3.SchemaRef{Value: &repo}
	}
	// An App's client library writes null where it asks for no narrower token; GitHub takes that as {}.
	doc.Paths.Value("/app/installations/{installation_id}/access_tokens").Post.RequestBody.Value.Content.Get("application/json").Schema.Value.Nullable = true
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Value.Content {
				if s := media.Schema.Value; len(s.Properties) > 0 {
					no := false
					s.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
				}
			}
		}
	}
}

func compile(template string) route {
	r := route{template: template}
	pattern := regexp.QuoteMeta(template)
	last := strings.HasSuffix(template, "/contents/{path}") || strings.HasSuffix(template, "/{ref}") && strings.Contains(template, "/git/ref")
	for _, m := range parameter.FindAllString(template, -1) {
		r.names = append(r.names, strings.Trim(m, "{}"))
		part := `([^/]+)`
		if last && strings.HasSuffix(template, m) { // paths and references have slashes of their own
			part = `(.+)`
		}
		pattern = strings.Replace(pattern, regexp.QuoteMeta(m), part, 1)
	}
	r.pattern = regexp.MustCompile("^" + pattern + "$")
	return r
}

// find gives the described operation of a request.
func (d *description) find(method, path string) (*routers.Route, map[string]string, error) {
	for _, r := range d.routes {
		m := r.pattern.FindStringSubmatch(path)
		if m == nil {
			continue
		}
		item := d.doc.Paths.Value(r.template)
		op := item.GetOperation(method)
		if op == nil {
			continue
		}
		params := map[string]string{}
		for i, name := range r.names {
			params[name] = m[i+1]
		}
		return &routers.Route{Spec: d.doc, Path: r.template, PathItem: item, Method: method, Operation: op}, params, nil
	}
	return nil, nil, fmt.Errorf("GitHub describes no %s %s", method, path)
}
