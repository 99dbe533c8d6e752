package review

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/schemas"
)

// judgeTogether holds the changed manifests against the others of their team and
// environment as the pull request leaves them: a graph asks models that are there
// and speak HTTP, and no model that a graph asks is removed or goes over to gRPC.
func (e *evaluation) judgeTogether(ctx context.Context) error {
	for _, c := range e.report.Changes {
		if c.Platform() || c.after == nil && c.file.After.Exists() {
			continue // a governing file, or a manifest that cannot be read
		}
		beside, err := e.beside(ctx, c)
		if err != nil {
			return err
		}
		served := e.world.Platform.Served(slices.Values(beside))
		if c.after != nil {
			e.find(c, policy.StageValidate, schemas.CheckTogether(c.after, served)...)
		}
		for _, doc := range beside {
			if c.after == nil || c.after.Value.Spec.InferenceProtocol().GRPC() && doc.Value.Metadata.Name != c.Model {
				e.find(c, policy.StageValidate, graphAsks(doc, c)...)
			}
		}
	}
	return nil
}

// beside are the manifests of a change's team and environment at the head.
func (e *evaluation) beside(ctx context.Context, c *Change) (docs []*deployment, err error) {
	manifests, err := e.teamManifests(ctx, e.head, c.Team)
	if err != nil {
		return nil, fmt.Errorf("read the manifests of %s: %w", c.Team, err)
	}
	for _, m := range manifests {
		if m.doc != nil && m.doc.Value.Spec.Environment == c.Environment {
			docs = append(docs, m.doc)
		}
	}
	return docs, nil
}

// graphAsks says where a manifest's graph asks a model that is removed, or that it
// cannot ask any more.
func graphAsks(doc *deployment, c *Change) (fs schemas.Findings) {
	g := doc.Value.Spec.Serving.Graph
	if g == nil {
		return nil
	}
	code, what := schemas.CodeUnknownModel, "is removed"
	if c.after != nil {
		code, what = schemas.CodeConflict, "speaks "+string(c.after.Value.Spec.InferenceProtocol())
	}
	for i, step := range g.Steps {
		if step.Model == c.Model {
			fs = append(fs, doc.Finding(fmt.Sprintf("spec.serving.graph.steps[%d].model", i), code,
				"the graph of "+doc.Value.Metadata.Name+" asks this model, which "+what, "take it out of the graph first, or in the same pull request"))
		}
	}
	return fs
}
