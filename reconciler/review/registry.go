package review

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/schemas"
)

// Registry knows registered models. Implementations honour the context, and may
// be asked from several goroutines at once.
type Registry interface {
	// Model looks up one version of a model. It errs with ErrNotRegistered where
	// the registry says that there is none, with ErrNoRegistry where the
	// environment has no registry, and with anything else where nobody can say.
	Model(ctx context.Context, ref ModelRef) (RegisteredModel, error)
}

// ModelRef names a version of a registered model as a manifest does: by exactly
// one of Version and Alias.
type ModelRef struct {
	Environment, Name string
	Version, Alias    string
}

func (r ModelRef) String() string {
	if r.Version != "" {
		return fmt.Sprintf("%s version %s", r.Name, r.Version)
	}
	return fmt.Sprintf("%s alias %s", r.Name, r.Alias)
}

// RegisteredModel is what a registry says of one version.
type RegisteredModel struct {
	Name string `json:"name"`
	// Version is definite, also where an alias was asked for.
	Version string `json:"version"`
	// URI is where the registry says that the artefact lies.
	URI    string      `json:"uri,omitempty"`
	Status ModelStatus `json:"status"`
	// Tags of the version over those of the model. Those of FactTags are facts.
	Tags map[string]string `json:"-"`
	// Metrics are the latest of the version's run; nil where it has none.
	Metrics map[string]float64 `json:"-"`
}

// ModelStatus is whether a registered version can be served.
type ModelStatus string

// The statuses, as MLflow has them. Any other is not ready.
const (
	ModelReady   ModelStatus = "READY"
	ModelPending ModelStatus = "PENDING_REGISTRATION"
	ModelFailed  ModelStatus = "FAILED_REGISTRATION"
)

// What a registry answers that is no failure of it.
var (
	ErrNotRegistered = errors.New("not registered")
	ErrNoRegistry    = errors.New("the environment has no registry")
)

// RegistryTimeout bounds everything that one evaluation asks a registry.
const RegistryTimeout = 20 * time.Second

var errRegistryTimeout = fmt.Errorf("the registry did not answer within %s", RegistryTimeout)

// registryParallel is how many models are asked for at once.
const registryParallel = 8

// The codes of findings about registered models.
const (
	CodeNotRegistered = "model-not-registered"
	CodeNotReady      = "model-not-ready"
	CodeRegistryFact  = "registry-fact"
)

// registered is what the registry said of a change's two sides. A side that it
// was not asked for, or does not know, is nil.
type registered struct {
	before, after *RegisteredModel
}

type registryAnswer struct {
	ref   ModelRef
	model RegisteredModel
	err   error
}

// askRegistry looks up the models of every change, before anything is judged by
// them. Without a registry everything is judged by the files alone.
func (e *evaluation) askRegistry(ctx context.Context) error {
	if e.Registry == nil {
		return nil
	}
	wanted := map[ModelRef]bool{}
	for _, c := range e.report.Changes {
		for _, doc := range []*deployment{c.before, c.after} {
			if doc != nil {
				wanted[modelRef(doc)] = true
			}
		}
	}
	answers := lookUp(ctx, e.Registry, wanted)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the registry: %w", err)
	}
	for _, c := range e.report.Changes {
		if !c.Platform() {
			e.takeAnswers(c, answers)
		}
	}
	return nil
}

func modelRef(doc *deployment) ModelRef {
	m := doc.Value.Spec.Model
	return ModelRef{Environment: doc.Value.Spec.Environment, Name: m.Name, Version: m.Version, Alias: m.Alias}
}

// lookUp asks for all models. What has no answer when the time is over is
// abandoned: a registry that ignores its context holds up nobody.
func lookUp(ctx context.Context, registry Registry, wanted map[ModelRef]bool) map[ModelRef]registryAnswer {
	ctx, cancel := context.WithTimeoutCause(ctx, RegistryTimeout, errRegistryTimeout)
	defer cancel()
	queue := make(chan ModelRef, len(wanted))
	results := make(chan registryAnswer, len(wanted))
	answers := make(map[ModelRef]registryAnswer, len(wanted))
	for ref := range wanted {
		queue <- ref
	}
	close(queue)
	for range min(registryParallel, len(wanted)) {
		go func() {
			for ref := range queue {
				if ctx.Err() != nil {
					return
				}
				m, err := registry.Model(ctx, ref)
				if err == nil {
					err = m.contradicts(ref)
				}
				results <- registryAnswer{ref, m, err}
			}
		}()
	}
	for range wanted {
		select {
		case a := <-results:
			answers[a.ref] = a
		case <-ctx.Done():
			for ref := range wanted {
				if _, ok := answers[ref]; !ok {
					answers[ref] = registryAnswer{ref: ref, err: context.Cause(ctx)}
				}
			}
			return answers
		}
	}
	return answers
}

// registeredName is the form of names and versions in manifests.
var registeredName = regexp.MustCompile(schemas.FormatNamed("registered").Pattern)

// contradicts tells an answer about something else from one to the question.
func (m RegisteredModel) contradicts(ref ModelRef) error {
	switch {
	case m.Name != ref.Name:
		return errors.New("the registry answered about another model than the one that was asked for")
	case ref.Version != "" && m.Version != ref.Version:
		return errors.New("the registry answered about another version than the one that was asked for")
	case !registeredName.MatchString(m.Version):
		return errors.New("the registry answered with a version that is no version's name")
	}
	return nil
}

// takeAnswers keeps what is known of a change's models, and says what is not.
func (e *evaluation) takeAnswers(c *Change, answers map[ModelRef]registryAnswer) {
	if c.before != nil {
		switch a := answers[modelRef(c.before)]; {
		case a.err == nil:
			c.registered.before = &a.model
		case !errors.Is(a.err, ErrNotRegistered) && !errors.Is(a.err, ErrNoRegistry):
			e.factsUnknown(c, a)
		}
	}
	if c.after == nil {
		return
	}
	switch a := answers[modelRef(c.after)]; {
	case a.err == nil:
		c.registered.after, c.Registered = &a.model, &a.model
		if a.model.Status != ModelReady {
			e.find(c, policy.StageValidate, c.atVersion(CodeNotReady,
				fmt.Sprintf("the registry has %s as %s, not %s", a.ref, cut(string(a.model.Status), maxTag), ModelReady),
				"wait until its registration is complete, or register it again"))
		}
	case errors.Is(a.err, ErrNotRegistered):
		e.find(c, policy.StageValidate, c.atVersion(CodeNotRegistered,
			fmt.Sprintf("the registry of %s does not have %s", c.Environment, a.ref), "register it first, or name a version that is registered"))
	case !errors.Is(a.err, ErrNoRegistry):
		e.factsUnknown(c, a)
	}
}

// atVersion is an error at the version or alias of the manifest that is brought.
func (c *Change) atVersion(code, message, remedy string) schemas.Finding {
	field := "spec.model.version"
	if c.after.Value.Spec.Model.Version == "" {
		field = "spec.model.alias"
	}
	return desired.At(c.after, schemas.SeverityError, field, code, message, remedy)
}

// factsUnknown: what the registry would have said may have raised the risk, so
// nobody can say that the approvals which are given are enough.
func (e *evaluation) factsUnknown(c *Change, a registryAnswer) {
	if c.factsUnknown != "" {
		return
	}
	c.factsUnknown = fmt.Sprintf("the registry could not be asked for %s: %s", a.ref, cut(a.err.Error(), 500))
	e.noteOn(c, policy.StageTest, policy.Error, c.factsUnknown)
	e.noteOn(c, policy.StageApproval, policy.Error, c.factsUnknown+"; without its facts the risk is unknown")
}

// FactTags are the tags of a registered model that count as facts, by the fact
// of a manifest that each is like. Regulations are separated by commas.
var FactTags = map[string]string{
	"businessImpact":   "mooring.businessImpact",
	"customerExposure": "mooring.customerExposure",
	"dataSensitivity":  "mooring.dataSensitivity",
	"regulations":      "mooring.regulations",
	"explainability":   "mooring.explainability",
}

// maxTag bounds what is repeated of a registry's texts. A longer tag is no fact
// that any table has.
const maxTag = 200

// facts are what a model's tags declare. Absent tags declare nothing.
func (m *RegisteredModel) facts() schemas.Facts {
	tag := func(fact string) string { return cut(strings.TrimSpace(m.Tags[FactTags[fact]]), maxTag) }
	f := schemas.Facts{
		BusinessImpact: tag("businessImpact"), CustomerExposure: tag("customerExposure"),
		DataSensitivity: tag("dataSensitivity"), Explainability: tag("explainability"),
	}
	for r := range strings.SplitSeq(tag("regulations"), ",") {
		if r = strings.TrimSpace(r); r != "" {
			f.Regulations = append(f.Regulations, r)
		}
	}
	return f
}
