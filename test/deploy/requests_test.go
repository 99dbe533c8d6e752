package deploy_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// right is one cell of a role: a verb on a resource of a group.
type right struct{ group, resource, verb string }

func (r right) String() string { return fmt.Sprintf("%s %s of %q", r.verb, r.resource, r.group) }

// requests notes which rights the requests that pass need.
type requests struct {
	mu      sync.Mutex
	used    map[right]bool
	refused []string
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(request)
		if err == nil {
			r.note(request, answer.StatusCode)
		}
		return answer, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (r *requests) note(request *http.Request, code int) {
	needed := rightsOf(request, code == http.StatusCreated)
	r.mu.Lock()
	defer r.mu.Unlock()
	if code == http.StatusForbidden {
		r.refused = append(r.refused, fmt.Sprintf("%s %s", request.Method, request.URL.Path))
	}
	for _, n := range needed {
		r.used[n] = r.used[n] || code < 300 || code == http.StatusNotFound || code == http.StatusConflict
	}
}

// rightsOf is what the API server asks its authorizer about a request. An apply
// that makes an object needs create as well.
func rightsOf(request *http.Request, made bool) []right {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	var r right
	switch {
	case len(parts) > 3 && parts[0] == "apis":
		r.group, parts = parts[1], parts[3:]
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	default:
		return nil // discovery, which everybody may
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	r.resource = parts[0]
	if len(parts) > 2 {
		r.resource += "/" + parts[2]
	}
	named := len(parts) > 1
	switch request.Method {
	case http.MethodGet:
		r.verb = "list"
		if named {
			r.verb = "get"
		} else if request.URL.Query().Get("watch") == "true" {
			r.verb = "watch"
		}
	case http.MethodPost:
		r.verb = "create"
	case http.MethodPut:
		r.verb = "update"
	case http.MethodDelete:
		r.verb = "delete"
	case http.MethodPatch:
		r.verb = "patch"
		if made {
			return []right{r, {r.group, r.resource, "create"}}
		}
	}
	return []right{r}
}

// implied are rights that no request shows, and what they are needed for.
func implied(used map[right]bool) map[right]bool {
	out := map[right]bool{}
	for r, ok := range used {
		out[r] = ok
		switch {
		case ok && r.verb == "watch":
			// A watch that begins with what is there, as servers of 1.34 or later offer it; others are listed.
			out[right{r.group, r.resource, "list"}] = true
		case ok && r == right{"", "events", "create"}:
			// An event that is told again is counted up.
			out[right{"", "events", "patch"}] = true
		case ok && r == right{"rbac.authorization.k8s.io", "rolebindings", "create"}:
			// Which roles it may bind, TestTheControllerLetsPeopleIntoATeamsNamespaceAndMakesNobodyMore asks.
			out[right{"rbac.authorization.k8s.io", "clusterroles", "bind"}] = true
		}
	}
	return out
}

// never lists the granted rights that nothing used.
func never(rules []rbacv1.PolicyRule, used map[right]bool) []string {
	used = implied(used)
	var out []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					if r := (right{group, resource, verb}); !used[r] {
						out = append(out, r.String())
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestRequestsAreReadAsTheAPIServerReadsThem(t *testing.T) {
	for _, c := range []struct {
		method, url string
		made        bool
		want        []right
	}{
		{"GET", "/api/v1/namespaces/a", false, []right{{"", "namespaces", "get"}}},
		{"GET", "/api/v1/namespaces?watch=true", false, []right{{"", "namespaces", "watch"}}},
		{"PATCH", "/api/v1/namespaces/a", true, []right{{"", "namespaces", "patch"}, {"", "namespaces", "create"}}},
		{"GET", "/api/v1/namespaces/a/secrets/models", false, []right{{"", "secrets", "get"}}},
		{"GET", "/apis/apps/v1/deployments", false, []right{{"apps", "deployments", "list"}}},
		{"PUT", "/apis/mlops-platform.com/v1alpha1/namespaces/a/modelreleases/b/status", false, []right{{"mlops-platform.com", "modelreleases/status", "update"}}},
		{"DELETE", "/apis/policy/v1/namespaces/a/poddisruptionbudgets/b", false, []right{{"policy", "poddisruptionbudgets", "delete"}}},
		{"POST", "/api/v1/namespaces/a/events", false, []right{{"", "events", "create"}}},
		{"GET", "/apis", false, nil},
		{"GET", "/version", false, nil},
	} {
		request, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := rightsOf(request, c.made); !slices.Equal(got, c.want) {
			t.Errorf("%s %s needs %v, want %v", c.method, c.url, got, c.want)
		}
	}
}

func TestARightThatIsNeverUsedIsFound(t *testing.T) {
	rules := []rbacv1.PolicyRule{{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"list", "watch", "patch"}}}
	got := never(rules, map[right]bool{{"apps", "deployments", "watch"}: true, {"apps", "deployments", "patch"}: false})
	if want := []string{`patch deployments of "apps"`}; !slices.Equal(got, want) {
		t.Errorf("never used: %v, want %v", got, want)
	}
}
