package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/reconciler/review"
)

func explainCommand() *cobra.Command {
	var flags planFlags
	cmd := &cobra.Command{
		Use:   "explain --base REF --head REF [CHANGE]",
		Short: "Show how the verdict on a change comes about, as a decision tree",
		Long: `Judges like 'mlops plan' and prints, for one change, every decision with the
evidence that it rests on: the pools that were held against the model, the sums
of quota and budget, the factors of the risk, the seats and who may fill them,
why each review counts or does not, and what each stage found.

CHANGE is the path of a file, or TEAM/MODEL/ENVIRONMENT; without it all changes
are explained. The exit code is that of the verdict.`,
		Example: "  mlops explain --base main --head my-change data-science/churn-predictor/production",
		Args:    maybeArgument("CHANGE"),
	}
	flags.add(cmd)
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := plan(cmd.Context(), cmd, flags)
		if err != nil {
			return err
		}
		changes := report.Changes
		if len(args) == 1 {
			c := report.Find(args[0])
			if c == nil {
				return usage("nothing called %q is changed; %s", args[0], changed(report))
			}
			changes = []*review.Change{c}
		}
		trees := []review.Explanation{}
		for _, c := range changes {
			trees = append(trees, report.Explain(c))
		}
		if err := writeTrees(cmd, format(*output), report, trees); err != nil {
			return err
		}
		if len(args) == 1 {
			return verdictStatus(changes[0].Verdict)
		}
		return verdictStatus(report.Verdict)
	}
	return cmd
}

func changed(r *review.Report) string {
	if len(r.Changes) == 0 {
		return "no manifest and no platform file is"
	}
	return "changed are " + strings.Join(r.Paths(), ", ")
}

func writeTrees(cmd *cobra.Command, f format, r *review.Report, trees []review.Explanation) error {
	if f == formatJSON {
		return writeJSON(cmd.OutOrStdout(), trees)
	}
	if len(trees) == 0 {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", strings.ToUpper(string(r.Verdict)), review.Headline(r))
		return err
	}
	for i, tree := range trees {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout()) // an error shows with the next write
		}
		if err := tree.WriteText(cmd.OutOrStdout()); err != nil {
			return err
		}
	}
	return nil
}
