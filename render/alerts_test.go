package render

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/mlops-platform/mooring/schemas"
)

// The series below are written as the servers write them, not as the rules ask
// for them: MLServer 1.7.1, KServe's SDK, Triton, Knative, Istio.

const (
	home = "data-science-production"
	// past is how long all was well before something happens, and samples are what
	// was read in it.
	past    = 3 * time.Hour
	samples = int(past / ruleInterval)
)

// scrapedFrom are the labels that Prometheus adds to what it reads from a pod.
func scrapedFrom(model, labels string) string {
	return fmt.Sprintf(`{namespace=%q,job="%s/%s",pod="p-1",component="predictor",mlops_platform_com_version="2"%s}`, home, home, model, labels)
}

func available(model string) string {
	return fmt.Sprintf(`kube_deployment_status_replicas_available{namespace=%q,deployment="%s-predictor"}`, home, model)
}

// mlserver are counters that grow by so many in each interval; served falls into
// the bucket that ends at the given latency.
func mlserver(model string, ok, failed string, buckets map[string]string) series {
	out := series{
		"up" + scrapedFrom(model, ""): "1x4000",
		available(model):              "2x4000",
		"model_infer_request_success_total" + scrapedFrom(model, `,model="m",version="None"`): ok,
		"model_infer_request_failure_total" + scrapedFrom(model, `,model="m",version="None"`): failed,
	}
	for le, values := range buckets {
		out["rest_server_request_duration_seconds_bucket"+scrapedFrom(model, fmt.Sprintf(`,app_name="mlserver",method="POST",path="/v2/models/{model_name}/infer",status_code="200",le=%q`, le))] = values
	}
	return out
}

// The platform's numbers: more than 5 % of the requests fail for five minutes.
func TestTheErrorRateAlertsAtItsLimit(t *testing.T) {
	const alert = "ModelErrorRateHigh"
	in := observe(churn(), nil)
	at := func(minutes int, want bool) firing { return firing{alert, time.Duration(minutes) * time.Minute, want} }
	lenient := observe(churn(), nil)
	lenient.Deployment.Spec.Rollout.Rollback.ErrorRate = percent("10%")
	lenient.Deployment.Spec.Rollout.Rollback.For = schemas.Duration(20 * time.Minute)
	rules, lenientRules := find(t, mustModel(t, in), rulesKind), find(t, mustModel(t, lenient), rulesKind)
	knative := observe(simple("bursty", schemas.FormatSKLearn, Placement{Pool: computePool}, nil), nil)
	knative.Environment.Spec.KServe.Mode = schemas.ModeKnative
	mesh := observe(simple("iris", schemas.FormatSKLearn, Placement{Pool: computePool}, nil), &schemas.Observability{Mesh: schemas.MeshIstio})
	runRuleTests(t, []ruleTest{
		{"6 % of failures raise it once they have lasted", rules,
			mlserver("churn-predictor", "0+94x120", "0+6x120", nil), []firing{at(4, false), at(12, true), at(59, true)}},
		{"5 % are the limit and not above it", rules,
			mlserver("churn-predictor", "0+95x120", "0+5x120", nil), []firing{at(30, false), at(59, false)}},
		{"failures that begin late are waited for", rules,
			mlserver("churn-predictor", "0+100x40 4000+90x80", "0x40 0+10x80", nil), []firing{at(20, false), at(24, false), at(31, true)}},
		{"failures that end are forgotten", rules,
			mlserver("churn-predictor", "0+90x40 3600+100x80", "0+10x40 400x80", nil), []firing{at(15, true), at(30, false)}},
		{"a burst is no lasting failure", rules,
			mlserver("churn-predictor", "0+100x40 4000+0x4 4000+100x80", "0x40 0+100x4 400x80", nil), []firing{at(21, false), at(24, false), at(28, false), at(40, false)}},
		{"a failure that nobody has seen before counts", rules,
			series{
				"model_infer_request_failure_total" + scrapedFrom("churn-predictor", ""): "0+10x120",
			}, []firing{at(20, true)}},
		{"with little traffic nothing is judged", rules,
			mlserver("churn-predictor", "0x120", "0+1x120", nil), []firing{at(30, false), at(59, false)}},
		{"without traffic nothing is judged", rules,
			mlserver("churn-predictor", "1000x120", "500x120", nil), []firing{at(30, false), at(59, false)}},
		{"without data nothing is judged", rules, series{}, []firing{at(30, false), at(59, false)}},
		{"another model's failures are its own", rules,
			mlserver("churn", "0+50x120", "0+50x120", nil), []firing{at(30, false)}},
		{"a manifest may be more patient", lenientRules,
			mlserver("churn-predictor", "0+94x120", "0+6x120", nil), []firing{at(59, false)}},
		{"and is heard all the same", lenientRules,
			mlserver("churn-predictor", "0+89x120", "0+11x120", nil), []firing{at(19, false), at(30, true)}},
		{"Knative counts for servers that do not", find(t, mustModel(t, knative), rulesKind), series{
			"kn_serving_invocation_duration_seconds_count" + scrapedFrom("bursty", `,http_response_status_code="200"`): "0+94x120",
			"kn_serving_invocation_duration_seconds_count" + scrapedFrom("bursty", `,http_response_status_code="503"`): "0+6x120",
		}, []firing{at(30, true)}},
		{"Knative did before its release 1.19, too", find(t, mustModel(t, knative), rulesKind), series{
			"revision_request_count" + scrapedFrom("bursty", `,response_code="200",response_code_class="2xx"`): "0+94x120",
			"revision_request_count" + scrapedFrom("bursty", `,response_code="500",response_code_class="5xx"`): "0+6x120",
		}, []firing{at(30, true)}},
		{"a mesh counts for servers that do not", find(t, mustModel(t, mesh), rulesKind), series{
			`istio_requests_total{reporter="destination",destination_workload_namespace="` + home + `",destination_workload="iris-predictor",response_code="200"}`: "0+94x120",
			`istio_requests_total{reporter="destination",destination_workload_namespace="` + home + `",destination_workload="iris-predictor",response_code="500"}`: "0+6x120",
		}, []firing{at(30, true)}},
		{"a mesh counts a request once", find(t, mustModel(t, mesh), rulesKind), series{
			`istio_requests_total{reporter="destination",destination_workload_namespace="` + home + `",destination_workload="iris-predictor",response_code="200"}`: "0+96x120",
			`istio_requests_total{reporter="destination",destination_workload_namespace="` + home + `",destination_workload="iris-predictor",response_code="500"}`: "0+4x120",
			`istio_requests_total{reporter="source",destination_workload_namespace="` + home + `",destination_workload="iris-predictor",response_code="500"}`:      "0+40x120",
		}, []firing{at(30, false)}},
	})
}

// The platform's numbers: the 95th percentile is above twice its baseline. All
// requests of a time fall into one bucket, so that its percentile is plain.
func TestTheLatencyAlertsAtTwiceItsBaseline(t *testing.T) {
	const alert = "ModelLatencyHigh"
	rules := find(t, mustModel(t, observe(churn(), nil)), rulesKind)
	after := func(d time.Duration, want bool) firing { return firing{alert, past + d, want} }
	// All is well in the bucket up to 0.1 s, and then in another one.
	slow := func(perInterval int, bucket string) map[string]string {
		out := map[string]string{}
		for _, le := range []string{"0.05", "0.1", "0.15", "0.2", "0.25", "+Inf"} {
			before, then := perInterval, perInterval
			if le == "0.05" {
				before = 0
			}
			if le != "+Inf" && le < bucket {
				then = 0
			}
			out[le] = fmt.Sprintf("0+%dx%d %d+%dx900", before, samples-1, before*samples, then)
		}
		return out
	}
	total := func(perInterval int) string { return fmt.Sprintf("0+%dx%d", perInterval, samples+900) }
	young := map[string]string{"0.1": "0+100x100 10000x100", "0.25": "0+100x200", "+Inf": "0+100x200"}
	triton := observe(simple("vision", schemas.FormatONNX, Placement{Pool: computePool}, nil), nil)
	mean := func(slower int) series {
		return series{
			"nv_inference_request_success" + scrapedFrom("vision", `,model="vision",version="1"`):     total(100),
			"nv_inference_request_failure" + scrapedFrom("vision", `,model="vision",version="1"`):     "0x4000",
			"nv_inference_request_duration_us" + scrapedFrom("vision", `,model="vision",version="1"`): fmt.Sprintf("0+1000000x%d %d+%dx900", samples-1, 1000000*samples, slower),
		}
	}
	runRuleTests(t, []ruleTest{
		{"2.5 times the baseline raises it", rules, mlserver("churn-predictor", total(100), "0x4000", slow(100, "0.25")),
			[]firing{after(-time.Minute, false), after(2*time.Minute, false), after(15*time.Minute, true)}},
		{"the baseline outlives hours of an incident", rules, mlserver("churn-predictor", total(100), "0x4000", slow(100, "0.25")),
			[]firing{after(3*time.Hour, true)}},
		{"1.5 times the baseline does not", rules, mlserver("churn-predictor", total(100), "0x4000", slow(100, "0.15")),
			[]firing{after(15*time.Minute, false), after(time.Hour, false)}},
		{"with little traffic nothing is judged", rules, mlserver("churn-predictor", total(2), "0x4000", slow(2, "0.25")),
			[]firing{after(15*time.Minute, false)}},
		{"a model without an hour of its past has no baseline", rules, mlserver("churn-predictor", "0+100x200", "0x200", young),
			[]firing{{alert, 70 * time.Minute, false}, {alert, 90 * time.Minute, false}}},
		{"without data nothing is judged", rules, series{}, []firing{after(0, false)}},
		{"a server that tells the mean alone is judged by it", find(t, mustModel(t, triton), rulesKind), mean(2500000),
			[]firing{after(-time.Minute, false), after(15*time.Minute, true)}},
		{"and has the same limit", find(t, mustModel(t, triton), rulesKind), mean(1900000), []firing{after(15*time.Minute, false)}},
	})
}

// The platform's number: less than 99 % available.
func TestAvailabilityAlertsAtItsLimit(t *testing.T) {
	in := observe(churn(), nil)
	rules := find(t, mustModel(t, in), rulesKind)
	parts := find(t, mustModel(t, observe(withComponents(churn()), nil)), rulesKind)
	idle := observe(simple("bursty", schemas.FormatSKLearn, Placement{Pool: computePool}, nil), nil)
	idle.Environment.Spec.KServe.Mode, idle.Deployment.Spec.Serving.Replicas = schemas.ModeKnative, replicas(0, 3)
	revision := func(metric, values string) series {
		return series{fmt.Sprintf(`%s{namespace=%q,deployment="bursty-predictor-00001-deployment"}`, metric, home): values}
	}
	ready := func(values string) series { return series{available("churn-predictor"): values} }
	with := func(a, b series) series { out := maps.Clone(a); maps.Copy(out, b); return out }
	component := func(name, values string) series {
		return series{fmt.Sprintf(`kube_deployment_status_replicas_available{namespace=%q,deployment="churn-predictor-%s"}`, home, name): values}
	}
	low := func(minutes int, want bool) firing {
		return firing{"ModelAvailabilityLow", time.Duration(minutes) * time.Minute, want}
	}
	down := func(minutes int, want bool) firing {
		return firing{"ModelDown", time.Duration(minutes) * time.Minute, want}
	}
	unknown := func(minutes int, want bool) firing {
		return firing{"ModelStateUnknown", time.Duration(minutes) * time.Minute, want}
	}
	runRuleTests(t, []ruleTest{
		{"one of two replicas is enough", rules, ready("2x200 1x200"), []firing{low(199, false), down(199, false), unknown(199, false)}},
		{"no replica for five minutes is down", rules, ready("2x200 0x200"), []firing{down(104, false), down(107, true), low(107, true)}},
		{"half a minute in an hour is 99.2 %", rules, ready("2x199 0 2x200"), []firing{low(110, false), down(110, false)}},
		{"two minutes in an hour are not 99 %", rules, ready("2x199 0x3 2x200"), []firing{low(110, true), down(110, false), low(170, false)}},
		{"a model on its way is not down", rules, ready("0x60 2x300"), []firing{down(29, false), low(29, false), down(60, false), low(60, false), low(100, false)}},
		{"a model that nobody knows anything of is not silent", rules, series{}, []firing{unknown(14, false), unknown(17, true), down(60, false), low(60, false)}},
		{"every component has to be there", parts, with(with(ready("2x400"), component("transformer", "1x200 0x200")), component("explainer", "1x400")), []firing{down(90, false), down(107, true)}},
		{"a model that nobody asks may sleep", find(t, mustModel(t, idle), rulesKind),
			with(revision("kube_deployment_status_replicas_available", "1x100 0x300"), revision("kube_deployment_spec_replicas", "1x100 0x300")),
			[]firing{down(120, false), low(120, false), unknown(120, false)}},
		{"one that is asked and does not wake is down", find(t, mustModel(t, idle), rulesKind),
			with(revision("kube_deployment_status_replicas_available", "1x100 0x300"), revision("kube_deployment_spec_replicas", "1x400")),
			[]firing{down(49, false), down(57, true)}},
	})
}

// What no other alert can judge, since there is no data, is said.
func TestMetricsThatCannotBeReadAlert(t *testing.T) {
	rules := find(t, mustModel(t, observe(churn(), nil)), rulesKind)
	at := func(minutes int, want bool) firing {
		return firing{"ModelMetricsMissing", time.Duration(minutes) * time.Minute, want}
	}
	up := func(values, replicas string) series {
		return series{"up" + scrapedFrom("churn-predictor", ""): values, available("churn-predictor"): replicas}
	}
	runRuleTests(t, []ruleTest{
		{"a target that does not answer", rules, up("1x40 0x80", "2x120"), []firing{at(20, false), at(34, false), at(37, true)}},
		{"no target at all", rules, series{available("churn-predictor"): "2x120"}, []firing{at(14, false), at(17, true)}},
		{"a model without replicas has none", rules, up("0x120", "0x120"), []firing{at(59, false)}},
		{"all is well", rules, up("1x120", "2x120"), []firing{at(59, false)}},
	})
}
