package schemas

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// oldestKServe is the oldest minor version of KServe (0.x) that Mooring writes for.
const oldestKServe = 11

// maxName is the greatest length of a model's and a team's name.
const maxName = 40

// checkEnvironment applies the rules between the environment's own parts and
// fills the defaults.
func checkEnvironment(r *report, e *Environment) {
	spec := &e.Spec
	if spec.Artifacts == "" {
		spec.Artifacts = DefaultArtifacts
	}
	if spec.Promotion != nil && spec.Promotion.After == e.Metadata.Name {
		r.fault("spec.promotion.after", CodePromotionCycle, "the environment waits for itself", "name another environment or remove promotion")
	}
	r.checkKServeVersion(spec.KServe.Version)
	r.checkKEDA(spec.KServe)
	r.checkGateway(e)
	if m := spec.Models; m != nil {
		if m.Pickle == "" {
			m.Pickle = PickleAllow
		}
		r.checkKeys(m.Signatures)
	}
	if spec.PodSecurity == "" {
		spec.PodSecurity = PodSecurityBaseline
	}
	r.checkIsolation(spec)
	r.checkStorage(spec)
	r.checkNetwork(spec.Network)
	r.checkObservability(spec)
	seen := map[string]int{}
	for i := range spec.Pools {
		at, pool := fmt.Sprintf("spec.pools[%d]", i), &spec.Pools[i]
		if first, twice := seen[pool.Name]; twice && pool.Name != "" {
			r.fault(at+".name", CodeDuplicateValue, fmt.Sprintf("the pool has the name of spec.pools[%d]", first), "give each pool its own name")
		}
		seen[pool.Name] = i
		r.checkPool(at, pool)
	}
	r.checkPoolsApart(spec.Pools)
}

// checkPoolsApart: models find their pool by its labels alone, so they have to
// select something, and must not lead onto nodes that are kept for other data,
// nor from those to others.
func (r *report) checkPoolsApart(pools []Pool) {
	for i, pool := range pools {
		at := fmt.Sprintf("spec.pools[%d].labels", i)
		if !r.sound(at) || len(pools) < 2 {
			continue
		}
		if len(pool.Labels) == 0 {
			r.fault(at, CodePoolLabels, "without labels the models of the pool run on the nodes of every other", "write the labels that its nodes alone carry")
			continue
		}
		if j := slices.IndexFunc(pools, pool.meets); pool.OnlyFor != nil && j >= 0 && (j > i || pools[j].OnlyFor == nil) {
			r.fault(at, CodePoolLabels, fmt.Sprintf("the pool is dedicated, and by their labels the models of one of it and spec.pools[%d] run on the nodes of both", j),
				"give the pool a label value that the nodes of no other pool have, such as workload-type: phi")
		}
	}
}

// meets reports whether labels lead from one pool to the nodes of another that is
// for other data. A pool without labels is its own mistake.
func (p Pool) meets(other Pool) bool {
	return len(other.Labels) > 0 && !sameData(p.OnlyFor, other.OnlyFor) && (p.leadsTo(other) || other.leadsTo(p))
}

// leadsTo reports whether the nodes of another pool, spot nodes among them,
// carry all labels that the pool's models select.
func (p Pool) leadsTo(other Pool) bool {
	for key, value := range p.Labels {
		carried, ok := other.Labels[key]
		spot := other.Spot != nil && other.Spot.Labels[key] == value
		if (!ok || carried != value) && !spot {
			return false
		}
	}
	return true
}

// sameData reports whether two pools are for the same data: neither dedicated, or
// both to the same.
func sameData(a, b *OnlyFor) bool {
	if a == nil || b == nil {
		return a == b
	}
	mine, others := slices.Sorted(slices.Values(a.DataSensitivity)), slices.Sorted(slices.Values(b.DataSensitivity))
	return slices.Equal(mine, others)
}

func (r *report) checkKServeVersion(version string) {
	const at = "spec.kserve.version"
	if !r.sound(at) {
		return
	}
	major, minor, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(minor); err == nil && major == "0" && n < oldestKServe {
		r.fault(at, CodeOutOfRange, "KServe before 0.11 is not supported", `write the cluster's version, such as "0.20"`)
	}
}

// checkKEDA: KServe hands its services over to KEDA in Standard mode, since 0.15.
func (r *report) checkKEDA(k KServe) {
	const at = "spec.kserve.keda"
	release, err := ParseKServeVersion(k.Version)
	if k.KEDA == nil || err != nil || !r.sound("spec.kserve") {
		return
	}
	switch {
	case k.Mode == ModeKnative:
		r.fault(at, CodeServingMode, "in Knative mode Knative scales the models", "remove keda, or write mode: Standard")
	case !release.AtLeast(KServeAutoscaling):
		r.fault(at, CodeServingMode, fmt.Sprintf("KServe %s does not know KEDA, %s is the first that does", release, KServeAutoscaling),
			"remove keda, or upgrade KServe and write its version")
	}
}

// checkGateway: the template yields a host name of its own for each model of each
// team, and nothing else splits the traffic.
func (r *report) checkGateway(e *Environment) {
	g := e.Spec.Gateway
	if g == nil || !r.sound("spec.gateway") {
		return
	}
	const at = "spec.gateway"
	if e.Spec.KServe.Mode == ModeKnative {
		r.fault(at, CodeServingMode, "in Knative mode Knative routes the requests and splits the traffic", "remove the gateway, or write mode: Standard")
		return
	}
	for _, placeholder := range []string{"{model}", "{team}"} {
		if !strings.Contains(g.Hostname, placeholder) {
			r.fault(at+".hostname", CodeInvalidValue, "without "+placeholder+" several models would have the same host name",
				`write a template such as "{model}.{team}.models.example.com"`)
			return
		}
	}
	r.checkGatewayReaches(&e.Spec)
	longest := strings.Repeat("a", maxName)
	name := g.HostnameFor(Unit{Team: longest, Model: longest, Environment: e.Metadata.Name})
	if len(validation.IsDNS1123Subdomain(name)) > 0 || slices.ContainsFunc(strings.Split(name, "."), func(l string) bool { return len(l) > maxDNSLabel }) {
		r.fault(at+".hostname", CodeInvalidValue, "with names of 40 characters the template yields no valid host name",
			"separate the placeholders by dots, as in {model}.{team}.models.example.com")
	}
}

// checkGatewayReaches: where the peers of models are written down, the gateway is
// one. Its proxies may run elsewhere, so this is a warning; of addresses it is not
// known whose they are.
func (r *report) checkGatewayReaches(spec *EnvironmentSpec) {
	n, namespace := spec.Network, spec.Gateway.Namespace
	if n == nil || n.Gateways == nil || !n.Enforced() || !r.sound("spec.network") {
		return
	}
	if slices.ContainsFunc(n.Gateways, func(p NetworkPeer) bool { return p.CIDR != "" || slices.Contains(p.Namespaces, namespace) }) {
		return
	}
	r.warn("spec.gateway.namespace", CodeNoRoute, "no peer of spec.network.gateways is in the gateway's namespace "+echo(namespace)+", so that the network policies shut it out",
		"add the namespace to spec.network.gateways, unless the gateway's proxies run in one that is there")
}

// checkKeys parses every key where it stands: a key that nobody can use would
// otherwise look like a model that nobody signed.
func (r *report) checkKeys(signatures *Signatures) {
	if signatures == nil {
		return
	}
	for i, key := range signatures.Keys {
		if _, err := ParsePublicKey(key); err != nil {
			at := fmt.Sprintf("spec.models.signatures.keys[%d]", i)
			r.fault(at, CodePublicKey, fmt.Sprintf("%s is no usable public key: %v", at, err),
				"write one PEM block BEGIN PUBLIC KEY, as in cosign.pub or from openssl pkey -pubout")
		}
	}
}

func (r *report) checkPool(at string, p *Pool) {
	if p.Name == PoolAuto {
		r.fault(at+".name", CodeUnknownValue, `"auto" is no pool's name: in manifests it asks for any pool`, "choose another name")
	}
	if r.sound(at+".nodes") && p.Nodes.Min > p.Nodes.Max {
		r.fault(at+".nodes.max", CodeOutOfRange, fmt.Sprintf("%s.nodes.max is below min", at), "raise max or lower min")
	}
	r.checkTaints(at+".taints", p.Taints)
	if p.Spot == nil {
		return
	}
	r.checkTaints(at+".spot.taints", p.Spot.Taints)
	if !p.OffersSpot() && r.sound(at+".spot", at+".price") {
		r.warn(at+".spot", CodeSpot, "the pool describes spot nodes but has no price for them, so it offers none", "write price.spot or remove spot")
	}
}

// checkTaints: Kubernetes refuses two taints of one key and effect.
func (r *report) checkTaints(field string, taints []Taint) {
	for i, t := range taints {
		same := func(o Taint) bool { return o.Key == t.Key && o.Effect == t.Effect }
		if at := fmt.Sprintf("%s[%d]", field, i); slices.IndexFunc(taints, same) < i {
			r.fault(at, CodeDuplicateValue, at+" has the key and effect of an earlier taint", "keep one of the two")
		}
	}
}
