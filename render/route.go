package render

import (
	"fmt"

	"github.com/mlops-platform/mooring/schemas"
)

// The subset of gateway.networking.k8s.io/v1 that Mooring writes. What the API
// server would fill in is written out.

const (
	gatewayGroup      = "gateway.networking.k8s.io"
	gatewayAPIVersion = gatewayGroup + "/v1"
	routeKind         = "HTTPRoute"

	// servicePort is that of every Service that KServe makes.
	servicePort = 80
)

type httpRouteSpec struct {
	ParentRefs []parentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames"`
	Rules      []routeRule `json:"rules"`
}

type parentRef struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type routeRule struct {
	Matches     []routeMatch   `json:"matches"`
	BackendRefs []backendRef   `json:"backendRefs"`
	Timeouts    *routeTimeouts `json:"timeouts,omitempty"`
}

type routeMatch struct {
	Path pathMatch `json:"path"`
}

type pathMatch struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type backendRef struct {
	Group  string `json:"group"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Port   int32  `json:"port"`
	Weight int32  `json:"weight"`
}

type routeTimeouts struct {
	Request string `json:"request"`
}

// backend is a Service and its share of the traffic.
type backend struct {
	service string
	weight  int32
}

// routeName has a dot, which no name of KServe's own routes and no model has.
func routeName(model string) string { return model + ".traffic" }

// entry is the Service of the component that clients ask.
func (r *modelRenderer) entry() string { return r.name + "-" + r.entryComponent() }

func (r *modelRenderer) entryComponent() string {
	if r.Deployment.Spec.Serving.Transformer != nil {
		return componentTransformer
	}
	return componentPredictor
}

// share is a version of the model and its part of the traffic.
type share struct {
	version *modelRenderer
	weight  int32
}

// route sends the requests for the model's host name to its versions. It is
// there outside of rollouts, too, so that clients never change their address.
// Explanations are asked of the explainer where KServe's own route asks it; where
// one of two versions has none, the other gives them all.
func (r *modelRenderer) route(shares ...share) object {
	gateway := r.Environment.Spec.Gateway
	var explainers, entries []backend
	for _, s := range shares {
		entries = append(entries, backend{s.version.entry(), s.weight})
		if s.version.Deployment.Spec.Serving.Explainer != nil {
			explainers = append(explainers, backend{s.version.name + "-" + componentExplainer, s.weight})
		}
	}
	var rules []routeRule
	if len(explainers) > 0 {
		path := pathMatch{Type: "Exact", Value: "/v1/models/" + r.Deployment.Metadata.Name + ":explain"}
		rules = append(rules, r.routeRule(path, explainers))
	}
	rules = append(rules, r.routeRule(pathMatch{Type: "PathPrefix", Value: "/"}, entries))
	host := gateway.HostnameFor(schemas.Unit{
		Team: r.Deployment.Spec.Team, Model: r.Deployment.Metadata.Name, Environment: r.Environment.Metadata.Name,
	})
	return object{
		APIVersion: gatewayAPIVersion, Kind: routeKind, Metadata: r.meta(routeName(r.Deployment.Metadata.Name)),
		Spec: httpRouteSpec{
			ParentRefs: []parentRef{{Group: gatewayGroup, Kind: "Gateway", Namespace: gateway.Namespace, Name: gateway.Name}},
			Hostnames:  []string{host},
			Rules:      rules,
		},
	}
}

func (r *modelRenderer) routeRule(path pathMatch, backends []backend) routeRule {
	rule := routeRule{Matches: []routeMatch{{Path: path}}}
	for _, b := range backends {
		rule.BackendRefs = append(rule.BackendRefs, backendRef{Kind: "Service", Name: b.service, Port: servicePort, Weight: b.weight})
	}
	if t := r.Deployment.Spec.Serving.TimeoutSeconds; t != nil {
		rule.Timeouts = &routeTimeouts{Request: fmt.Sprintf("%ds", *t)}
	}
	return rule
}
