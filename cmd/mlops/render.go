package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/reconciler/desired"
	"github.com/mlops-platform/mooring/reconciler/source"
	"github.com/mlops-platform/mooring/render"
	"github.com/mlops-platform/mooring/schemas"
)

// selectFlags say what of which repository is rendered.
type selectFlags struct {
	repo, ref, name string
	selection       desired.Selection
}

func (s *selectFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.repo, "repo", ".", "model repository")
	f.StringVar(&s.ref, "ref", "", "branch, tag or commit (default: the files as they lie on the disk)")
	f.StringVar(&s.name, "name", "local", "name of the ModelRepository object, which the objects bear as a label")
	f.StringVarP(&s.selection.Environment, "environment", "e", "", "only this environment")
	f.StringVarP(&s.selection.Model, "model", "m", "", "only this model, without its team's namespace")
}

func renderCommand() *cobra.Command {
	var flags selectFlags
	var explain bool
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print the Kubernetes objects that a model repository stands for",
		Long: `Prints the objects, after overlays: each team's namespace, quota and limits, and
each model's service account and InferenceService. A manifest that cannot be
rendered goes to standard error with the reason, and the others are printed.

With --explain, comments say which line of which file each value comes from, and
why a pool or a level of risk. A value without a comment is Mooring's own and the
same for every model. The output is still YAML that can be applied.`,
		Example: "  mlops render --repo example-repo --environment production --model churn-predictor\n" +
			"  mlops render --repo example-repo --environment production --model churn-predictor --explain",
		Args: noArgument,
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&explain, "explain", false, "say where each value comes from")
	output := outputFlag(cmd, formatYAML, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		files, sets, findings, err := flags.sets(cmd.Context())
		if err != nil {
			return err
		}
		if explain {
			explained, wrong := desired.Explain(flags.name, files, sets)
			if err := writeExplained(cmd.OutOrStdout(), format(*output), explained); err != nil {
				return err
			}
			return findingStatus(cmd, append(findings, wrong...))
		}
		objects := []*unstructured.Unstructured{}
		for _, s := range sets {
			objects = append(objects, s.Objects...)
		}
		if err := writeObjects(cmd, format(*output), objects); err != nil {
			return err
		}
		return findingStatus(cmd, findings)
	}
	return cmd
}

func writeObjects(cmd *cobra.Command, f format, objects []*unstructured.Unstructured) error {
	if f == formatJSON {
		contents := make([]map[string]any, 0, len(objects))
		for _, o := range objects {
			contents = append(contents, o.Object)
		}
		return writeJSON(cmd.OutOrStdout(), contents)
	}
	text, err := render.YAML(objects)
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// findingStatus prints findings to standard error; an error among them is exit code 1.
func findingStatus(cmd *cobra.Command, findings schemas.Findings) error {
	for _, line := range findings.Lines() {
		if _, err := fmt.Fprintln(cmd.ErrOrStderr(), line); err != nil {
			return err
		}
	}
	if findings.Failed() {
		return exitStatus(exitFinding)
	}
	return nil
}

// sets renders what the flags select, of the files that it returns too.
func (s *selectFlags) sets(ctx context.Context) ([]schemas.File, []desired.Set, schemas.Findings, error) {
	files, err := s.files(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := s.check(files); err != nil {
		return nil, nil, nil, err
	}
	sets, findings, err := desired.All(ctx, s.name, files, s.selection)
	return files, sets, s.relevant(findings), err
}

// check refuses an environment or a model that does not exist.
func (s *selectFlags) check(files []schemas.File) error {
	var environments, models []string
	for _, f := range files {
		unit, ok := schemas.ManifestUnit(f.Path)
		switch {
		case ok && (s.selection.Environment == "" || unit.Environment == s.selection.Environment):
			models = append(models, unit.Model)
		case f.Path == schemas.EnvironmentPath(s.selection.Environment):
			environments = append(environments, s.selection.Environment)
		}
	}
	if s.selection.Environment != "" && len(environments) == 0 {
		return usage("there is no environment %q: %s does not exist", s.selection.Environment, schemas.EnvironmentPath(s.selection.Environment))
	}
	for _, m := range models {
		if m == s.selection.Model {
			return nil
		}
	}
	if s.selection.Model != "" {
		return usage("there is no model %q in %s", s.selection.Model, orAny(s.selection.Environment))
	}
	return nil
}

func orAny(environment string) string {
	if environment == "" {
		return "any environment"
	}
	return environment
}

// relevant leaves out what is wrong with manifests and environments that were
// not asked for.
func (s *selectFlags) relevant(findings schemas.Findings) schemas.Findings {
	var out schemas.Findings
	for _, f := range findings {
		unit, ok := schemas.ManifestUnit(f.File)
		if ok && (s.selection.Environment != "" && unit.Environment != s.selection.Environment ||
			s.selection.Model != "" && unit.Model != s.selection.Model) {
			continue
		}
		if s.selection.Environment != "" && schemas.ClassifyPath(f.File) == schemas.PathEnvironment &&
			f.File != schemas.EnvironmentPath(s.selection.Environment) {
			continue
		}
		out = append(out, f)
	}
	return out
}

// files reads the repository, from the disk or at a revision.
func (s *selectFlags) files(ctx context.Context) ([]schemas.File, error) {
	if s.ref == "" {
		files, err := worktree.Read(s.repo)
		return files, asUsage(err)
	}
	repo, err := openRepository(s.repo)
	if err != nil {
		return nil, err
	}
	defer repo.Close() // opened for reading
	commit, err := repo.Resolve(ctx, s.ref)
	if err != nil {
		return nil, usageError{err}
	}
	tree, err := repo.Tree(ctx, commit)
	if err != nil {
		return nil, err
	}
	var files []schemas.File
	for _, f := range tree.Files() {
		file := schemas.File{Path: f.Path}
		if f.Refused != nil {
			file.Refused = f.Refused.Error()
		} else if file.Content, err = repo.ReadBlob(ctx, f.Blob); err != nil {
			if refused := (*source.Refused)(nil); !errors.As(err, &refused) {
				return nil, err
			}
			file.Refused = err.Error()
		}
		files = append(files, file)
	}
	return files, nil
}
