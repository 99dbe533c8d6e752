package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/reconciler/apply"
)

func diffCommand() *cobra.Command {
	var flags selectFlags
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Compare what a model repository stands for with the live cluster",
		Long: `Asks the cluster of the current kubeconfig, by dry run, what applying the
objects would change; nothing is written. Exit code 1 says that something would.`,
		Example: "  mlops diff --repo . --environment production --name models",
		Args:    noArgument,
	}
	flags.add(cmd)
	kubeconfigFlag(cmd)
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		_, sets, findings, err := flags.sets(cmd.Context())
		if err != nil {
			return err
		}
		cfg, err := clusterConfig()
		if err != nil {
			return err
		}
		applier, err := apply.New(cfg, apply.Options{})
		if err != nil {
			return err
		}
		diffs := []apply.ObjectDiff{}
		for _, s := range sets {
			found, err := applier.Diff(cmd.Context(), apply.Set{Unit: s.Unit, Objects: s.Objects})
			if err != nil {
				return fmt.Errorf("compare %s: %w", s.Unit, err)
			}
			diffs = append(diffs, found...)
		}
		changed, err := writeDiffs(cmd.OutOrStdout(), format(*output), diffs)
		if err != nil {
			return err
		}
		if err := findingStatus(cmd, findings); err != nil {
			return err
		}
		if changed {
			return exitStatus(exitFinding)
		}
		return nil
	}
	return cmd
}

func writeDiffs(w io.Writer, f format, diffs []apply.ObjectDiff) (changed bool, err error) {
	for _, d := range diffs {
		changed = changed || d.Action != apply.ActionUnchanged
	}
	if f == formatJSON {
		return changed, writeJSON(w, diffs)
	}
	for _, d := range diffs {
		if d.Action == apply.ActionUnchanged {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s %s %s/%s\n", d.Action, d.Kind, d.Namespace, d.Name); err != nil {
			return changed, err
		}
		if d.Refusal != nil {
			if _, err := fmt.Fprintf(w, "  refused: %v\n", d.Refusal); err != nil {
				return changed, err
			}
		}
		for _, c := range d.Changes {
			if _, err := fmt.Fprintf(w, "  %s: %s → %s\n", c.Path, orAbsent(c.Before), orAbsent(c.After)); err != nil {
				return changed, err
			}
		}
	}
	if !changed {
		_, err = fmt.Fprintf(w, "%d objects, no difference\n", len(diffs))
	}
	return changed, err
}

func orAbsent(s string) string {
	if s == "" {
		return "(absent)"
	}
	return s
}
