package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/apply"
	"github.com/mlops-platform/mooring/reconciler/drift"
	"github.com/mlops-platform/mooring/reconciler/release"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/schemas"
)

var (
	ownSeries = regexp.MustCompile(`\b(mooring_\w+)(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`(\w+)\s*(=~|=)\s*\\?"([^"\\]*)\\?"`)
	grouping  = regexp.MustCompile(`\bby \(([^)]*)\)`)
	variable  = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
)

// queries are the lines that ask for Mooring's own metrics: of the alerts, the
// dashboard, and the cases by which the alerts are tried.
func queries(t *testing.T, path string) (lines []string) {
	t.Helper()
	content, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if ownSeries.MatchString(line) && regexp.MustCompile(`expr"?:|series:`).MatchString(line) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) < 10 {
		t.Fatalf("%s asks for %q alone; is the pattern still right?", path, lines)
	}
	return lines
}

// described has the labels of every metric that is registered.
type described map[string][]string

func (d described) Register(c prometheus.Collector) error {
	all := make(chan *prometheus.Desc, 10)
	c.Describe(all)
	close(all)
	for desc := range all {
		m := variable.FindStringSubmatch(desc.String())
		if m == nil {
			return fmt.Errorf("%s is described in another way", desc)
		}
		d[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' })
	}
	return nil
}

func (d described) MustRegister(...prometheus.Collector) {}
func (d described) Unregister(prometheus.Collector) bool { return false }

// labels are those of a metric, or of a histogram's series.
func (d described) labels(metric string) ([]string, bool) {
	if labels, known := d[metric]; known {
		return labels, true
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if labels, known := d[strings.TrimSuffix(metric, suffix)]; known && strings.HasSuffix(metric, suffix) {
			return append(slices.Clone(labels), "le"), true
		}
	}
	return nil, false
}

const (
	alertRules = "deploy/components/monitoring/alerts.yaml"
	dashboard  = "deploy/components/monitoring/mooring.json"
	alertCases = "test/deploy/testdata/alerts_test.yaml"
)

// An alert on a series that nothing makes never fires, and a case that plays that
// series proves the opposite.
func TestEverySeriesThatIsAskedForHasItsLabels(t *testing.T) {
	known := described{}
	if _, err := release.NewMetrics(known); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{alertRules, dashboard, alertCases} {
		for _, line := range queries(t, path) {
			allowed := []string{"pod"} // Prometheus' own
			for _, m := range ownSeries.FindAllStringSubmatch(line, -1) {
				labels, there := known.labels(m[1])
				if !there {
					t.Errorf("%s asks for %s, which is not measured: %s", path, m[1], line)
				}
				allowed = append(allowed, labels...)
				for _, pair := range matcher.FindAllStringSubmatch(m[2], -1) {
					if pair[1] != "pod" && !slices.Contains(labels, pair[1]) {
						t.Errorf("%s asks for the label %s of %s, which has %v: %s", path, pair[1], m[1], labels, line)
					}
				}
			}
			for _, by := range grouping.FindAllStringSubmatch(line, -1) {
				for label := range strings.SplitSeq(by[1], ", ") {
					if !slices.Contains(allowed, label) {
						t.Errorf("%s groups by %s, which is no label there: %s", path, label, line)
					}
				}
			}
		}
	}
}

// What alerts and dashboard look for by its value is counted once that happens.
func TestEveryValueThatAnAlertLooksForIsCounted(t *testing.T) {
	registry := everythingGoesWrong(t)
	looked := 0
	for _, path := range []string{alertRules, dashboard} {
		for _, line := range queries(t, path) {
			for _, m := range ownSeries.FindAllStringSubmatch(line, -1) {
				for _, pair := range matcher.FindAllStringSubmatch(m[2], -1) {
					for value := range strings.SplitSeq(pair[3], "|") {
						looked++
						if !seen(t, registry, m[1], pair[1]+"="+value) {
							t.Errorf("%s looks for %s{%s=%q}, which nothing makes", path, m[1], pair[1], value)
						}
					}
				}
			}
		}
	}
	for _, metric := range []string{"mooring_records_refused_total", "mooring_repository_ready", "mooring_environments_missing", "mooring_units_not_served", "mooring_quarantined_files"} {
		if looked++; !seen(t, registry, metric, "") {
			t.Errorf("nothing makes %s", metric)
		}
	}
	if looked < 10 || seen(t, registry, "mooring_applies_total", "result=NotRecorded") {
		t.Errorf("%d values are looked for, and what nobody counts is found; this proves nothing", looked)
	}
}

func seen(t *testing.T, registry *prometheus.Registry, metric, label string) bool {
	t.Helper()
	for labels := range series(t, registry, metric) {
		if label == "" || slices.Contains(strings.Split(labels, ","), label) {
			return true
		}
	}
	return false
}

// everythingGoesWrong lets happen, once each, what somebody is to be told of.
func everythingGoesWrong(t *testing.T) *prometheus.Registry {
	t.Helper()
	p := newPlace(t, schemas.ModelRepositorySpec{Environments: everywhere})
	registry := p.measure()
	p.loop.Reviews = NewReviews(quiet, p.loop.Metrics)
	p.trust(p.git("rev-parse", "HEAD"))
	p.fails = errors.New("disk full")
	if _, err := p.look(); err == nil {
		t.Error("without a record it went on")
	}
	p.fails = nil
	p.mustLook()
	units := p.unitGoesWrong()
	p.write(forecast, `version: "7"`, `version: "8"`)
	p.commit("Skip the review")
	p.change(func(r *schemas.ModelRepository) { r.Spec.Environments = []string{"development", "prodction"} })
	p.mustLook()
	if _, err := units.Reconcile(t.Context(), contested); err != nil {
		t.Error(err)
	}
	reviewer := &review.Reviewer{Forge: broken{}, Repo: p.loop.connection(repositoryKey).mirror.Repository, Now: time.Now}
	p.loop.Reviews.Update(repositoryKey, reviewer, "", []review.PullRequest{{Number: 2}}, nil, nil, nil)
	if err := p.loop.Reviews.review(t.Context(), reviewKey{repository: repositoryKey, number: 2}); err == nil {
		t.Error("it was judged")
	}
	p.loop.Metrics.Reviewed(string(policy.Error), time.Second) // a report's verdict is counted as it is
	return registry
}

var contested = ctrl.Request{NamespacedName: client.ObjectKey{Namespace: repositoryKey.Namespace, Name: "production.data-science.churn-predictor"}}

// unitGoesWrong has one unit refused, not answered, applied, and fought over.
func (p *place) unitGoesWrong() *Units {
	p.Helper()
	now, cluster := time.Now(), &hostile{}
	units := p.worker()
	units.Metrics = p.loop.Metrics
	units.Engine = &release.Engine{
		Client: p.cluster, Applier: cluster, Inspector: cluster, Sight: cluster, Audit: p, Events: record.NewFakeRecorder(1000),
		Metrics: p.loop.Metrics, Now: func() time.Time { return now },
	}
	for _, cluster.fails = range []error{&apply.RefusedError{}, apply.ErrUnavailable, nil} {
		if _, err := units.Reconcile(p.Context(), contested); !errors.Is(err, cluster.fails) {
			p.Fatal(err)
		}
	}
	for range 4 {
		now = now.Add(5 * time.Minute)
		cluster.drifted = []schemas.DriftedField{{Object: "InferenceService/ns/m", Path: ".spec.replicas", Manager: "kubectl", Since: metav1.NewTime(now)}}
		if _, err := units.Reconcile(p.Context(), contested); err != nil {
			p.Fatal(err)
		}
	}
	return units
}

// hostile is a cluster in which nothing becomes ready.
type hostile struct {
	fails   error
	drifted []schemas.DriftedField
}

func (h *hostile) Apply(_ context.Context, set apply.Set) (apply.Result, error) {
	return apply.Result{Inventory: set.Previous}, h.fails
}

func (h *hostile) Delete(context.Context, schemas.Unit, []schemas.InventoryEntry) ([]schemas.InventoryEntry, error) {
	return nil, h.fails
}

func (h *hostile) Inspect(context.Context, []*unstructured.Unstructured, []schemas.InventoryEntry) (drift.Inspection, error) {
	return drift.Inspection{Drifted: h.drifted}, nil
}

func (h *hostile) Get(gvk schema.GroupVersionKind, _, _ string) (*unstructured.Unstructured, bool) {
	return &unstructured.Unstructured{}, gvk.Kind == "Namespace"
}

func (h *hostile) Sees(schema.GroupVersionKind) bool { return true }

func (h *hostile) Since() time.Time { return time.Time{} }

// broken is a forge that fails.
type broken struct{ review.Forge }

func (broken) Reviews(context.Context, int) ([]review.Review, error) { return nil, errors.New("502") }

func (broken) SetStatus(context.Context, source.ID, review.Status) error { return errors.New("502") }
