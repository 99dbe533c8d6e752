package release

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mlops-platform/mooring/schemas"
)

// Metrics counts what the engine does. A nil Metrics counts nothing.
//
//	mooring_releases{phase}                      gauge      receipts by phase
//	mooring_applies_total{result}                counter    applies of a unit: applied, or the reason of the failure
//	mooring_prunes_total{result}                 counter    removals of a unit: removed, failed
//	mooring_drift_total{result}                  counter    drifts: found, reported, contested, healed
//	mooring_records_refused_total{action}        counter    records that the audit log did not take, by what they are of
//	mooring_quarantined_files{repository}        gauge      files on the branch without an approval
//	mooring_repository_ready{repository,reason}  gauge      1 where a ModelRepository is Ready, else 0, with the reason of the condition
//	mooring_environments_missing{repository,environment} gauge 1 for each environment that a spec names and the approved branch lacks
//	mooring_units_not_served{repository}         gauge      receipts that nobody looks after: no environment that is served has them
//	mooring_reviews_total{verdict}               counter    judged pull requests; verdict is failed where judging failed
//	mooring_review_duration_seconds              histogram  time to judge one pull request and publish the verdict
//	mooring_approvals_overdue{repository,level}  gauge      changes of open pull requests whose time to approve is over
//	mooring_approval_notices_total{kind}         counter    reminders of approvals: remind, overdue
//	mooring_who_decides_problems{repository,reason} gauge   teams that cannot be listed, roles that nobody holds, seats that cannot be filled
//	mooring_break_glass_total{environment}       counter    merged changes for which somebody lifted the rules of time
//	mooring_apply_latency_seconds                histogram  from seeing a commit to having applied a unit that it changed
type Metrics struct {
	releases    *prometheus.GaugeVec
	applies     *prometheus.CounterVec
	prunes      *prometheus.CounterVec
	drifts      *prometheus.CounterVec
	quarantined *prometheus.GaugeVec
	reviews     *prometheus.CounterVec
	reviewTime  prometheus.Histogram
	latency     prometheus.Histogram
	overdue     *prometheus.GaugeVec
	notices     *prometheus.CounterVec
	deciding    *prometheus.GaugeVec
	glass       *prometheus.CounterVec
	refused     *prometheus.CounterVec
	ready       *prometheus.GaugeVec
	missing     *prometheus.GaugeVec
	unserved    *prometheus.GaugeVec
}

// Results of drift in mooring_drift_total.
const (
	DriftFound     = "found"
	DriftReported  = "reported"
	DriftContested = "contested"
	DriftHealed    = "healed"
)

var driftResults = map[string]string{
	ReasonDetected: DriftFound, ReasonReported: DriftReported, ReasonContested: DriftContested,
}

// NewMetrics registers the metrics. Registered twice, as by two controllers in
// one process, they are shared.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mooring_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mooring_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets ...float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mooring_" + name, Help: help, Buckets: buckets})
	}
	m := &Metrics{
		releases:    gauge("releases", "Receipts by phase.", "phase"),
		applies:     counter("applies_total", "Applies of a unit by result.", "result"),
		prunes:      counter("prunes_total", "Removals of a unit by result.", "result"),
		drifts:      counter("drift_total", "Drifts by what became of them.", "result"),
		quarantined: gauge("quarantined_files", "Files on the branch without an approval.", "repository"),
		reviews:     counter("reviews_total", "Judged pull requests by verdict.", "verdict"),
		reviewTime:  histogram("review_duration_seconds", "Time to judge a pull request and publish the verdict.", 0.1, 0.3, 1, 3, 10, 30, 100),
		overdue:     gauge("approvals_overdue", "Changes of open pull requests whose time to approve is over.", "repository", "level"),
		notices:     counter("approval_notices_total", "Reminders of approvals by kind.", "kind"),
		deciding:    gauge("who_decides_problems", "Teams that cannot be listed, roles that nobody holds, and seats that cannot be filled.", "repository", "reason"),
		latency:     histogram("apply_latency_seconds", "Time from seeing a commit to having applied a unit that it changed.", 0.3, 1, 3, 10, 30, 100, 300),
	}
	m.glass = counter("break_glass_total", "Merged changes for which somebody lifted the rules of time.", "environment")
	m.refused = counter("records_refused_total", "Records that the audit log did not take, by what they are of.", "action")
	m.ready = gauge("repository_ready", "1 where a ModelRepository is Ready, with the reason of the condition.", "repository", "reason")
	m.missing = gauge("environments_missing", "Environments that a ModelRepository names and the approved branch lacks.", "repository", "environment")
	m.unserved = gauge("units_not_served", "Receipts that nobody looks after: no environment that is served has them.", "repository")
	var errs []error
	m.releases, errs = register(r, m.releases, errs)
	m.applies, errs = register(r, m.applies, errs)
	m.prunes, errs = register(r, m.prunes, errs)
	m.drifts, errs = register(r, m.drifts, errs)
	m.quarantined, errs = register(r, m.quarantined, errs)
	m.reviews, errs = register(r, m.reviews, errs)
	m.reviewTime, errs = register(r, m.reviewTime, errs)
	m.latency, errs = register(r, m.latency, errs)
	m.overdue, errs = register(r, m.overdue, errs)
	m.notices, errs = register(r, m.notices, errs)
	m.deciding, errs = register(r, m.deciding, errs)
	m.glass, errs = register(r, m.glass, errs)
	m.refused, errs = register(r, m.refused, errs)
	m.ready, errs = register(r, m.ready, errs)
	m.missing, errs = register(r, m.missing, errs)
	m.unserved, errs = register(r, m.unserved, errs)
	return m, errors.Join(errs...)
}

func register[C prometheus.Collector](r prometheus.Registerer, c C, errs []error) (C, []error) {
	err := r.Register(c)
	if known := (prometheus.AlreadyRegisteredError{}); errors.As(err, &known) {
		if there, ok := known.ExistingCollector.(C); ok {
			return there, errs
		}
	}
	return c, append(errs, err)
}

func (m *Metrics) applied(err error) {
	if m == nil {
		return
	}
	result := "applied"
	if err != nil {
		result, _ = classify(err)
	}
	m.applies.WithLabelValues(result).Inc()
}

func (m *Metrics) pruned(err error) {
	if m == nil {
		return
	}
	result := "removed"
	if err != nil {
		result = "failed"
	}
	m.prunes.WithLabelValues(result).Inc()
}

func (m *Metrics) drift(result string) {
	if m != nil {
		m.drifts.WithLabelValues(result).Inc()
	}
}

// Unrecorded counts a record that the audit log did not take. That the process
// ends meanwhile is no fault of the log's.
func (m *Metrics) Unrecorded(action Action, err error) {
	if m != nil && err != nil && !errors.Is(err, context.Canceled) {
		m.refused.WithLabelValues(string(action)).Inc()
	}
}

// Moved counts a receipt in another phase than before; empty: in none.
func (m *Metrics) Moved(from, to schemas.ReleasePhase) {
	if m == nil || from == to {
		return
	}
	if from != "" {
		m.releases.WithLabelValues(string(from)).Dec()
	}
	if to != "" {
		m.releases.WithLabelValues(string(to)).Inc()
	}
}

// Quarantined says how many files of a repository are.
func (m *Metrics) Quarantined(repository string, files int) {
	if m != nil {
		m.quarantined.WithLabelValues(repository).Set(float64(files))
	}
}

// Ready says whether a repository is, and the reason; the one before is forgotten.
func (m *Metrics) Ready(repository string, ready bool, reason string) {
	if m == nil {
		return
	}
	m.ready.DeletePartialMatch(prometheus.Labels{"repository": repository})
	value := 0.0
	if ready {
		value = 1
	}
	m.ready.WithLabelValues(repository, reason).Set(value)
}

// MissingEnvironments says which environments a repository's spec names that its
// approved branch lacks.
func (m *Metrics) MissingEnvironments(repository string, environments []string) {
	if m == nil {
		return
	}
	m.missing.DeletePartialMatch(prometheus.Labels{"repository": repository})
	for _, environment := range environments {
		m.missing.WithLabelValues(repository, environment).Set(1)
	}
}

// NotServed says how many units of a repository nobody looks after.
func (m *Metrics) NotServed(repository string, units int) {
	if m != nil {
		m.unserved.WithLabelValues(repository).Set(float64(units))
	}
}

// Forget ends what is told of a repository that is gone.
func (m *Metrics) Forget(repository string) {
	if m == nil {
		return
	}
	for _, gauge := range []*prometheus.GaugeVec{m.quarantined, m.deciding, m.ready, m.missing, m.unserved} {
		gauge.DeletePartialMatch(prometheus.Labels{"repository": repository})
	}
}

// Overdue says how many changes of a repository are, by level of risk; nil
// forgets the repository.
func (m *Metrics) Overdue(repository string, changes map[schemas.RiskLevel]int) {
	if m == nil {
		return
	}
	if changes == nil {
		m.overdue.DeletePartialMatch(prometheus.Labels{"repository": repository})
		return
	}
	for _, level := range []schemas.RiskLevel{schemas.RiskMedium, schemas.RiskHigh} {
		m.overdue.WithLabelValues(repository, string(level)).Set(float64(changes[level]))
	}
}

// Noticed counts a reminder that was recorded.
func (m *Metrics) Noticed(kind Action) {
	if m != nil {
		m.notices.WithLabelValues(string(kind)).Inc()
	}
}

// WhoDecides says how many problems of a kind a repository has.
func (m *Metrics) WhoDecides(repository, reason string, problems int) {
	if m != nil {
		m.deciding.WithLabelValues(repository, reason).Set(float64(problems))
	}
}

// Reviewed counts a judged pull request.
func (m *Metrics) Reviewed(verdict string, took time.Duration) {
	if m != nil {
		m.reviews.WithLabelValues(verdict).Inc()
		m.reviewTime.Observe(took.Seconds())
	}
}

// BrokeGlass counts a merged change for which somebody lifted the rules of time.
func (m *Metrics) BrokeGlass(environment string) {
	if m != nil {
		m.glass.WithLabelValues(environment).Inc()
	}
}

// Arrived measures how long a commit took to be applied.
func (m *Metrics) Arrived(since time.Duration) {
	if m != nil {
		m.latency.Observe(since.Seconds())
	}
}
