package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/reconciler/review"
)

func validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [DIR]",
		Short: "Check a model repository: schema, references, fit, quota, budget, secrets",
		Long: `Checks every file of the model repository in DIR (default: the current folder)
as it lies on the disk: schema, references, names, fit, quota, budget, the
justification of a high risk, overlays and Rego that do not load, and secrets.
All findings come at once, as file:line:column: message; remedy [code]. What only
refers to a broken file comes last, in one line for each such file.

It judges no change. Images, artefacts, signatures, IAM roles, privileged
settings, the default controls, the rules under policy/, freezes and approvals
are asked by 'mlops plan'.`,
		Example: "  mlops validate example-repo",
		Args:    maybeArgument("DIR"),
	}
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := readFolder(cmd, args)
		if err != nil {
			return err
		}
		result, err := review.Validate(cmd.Context(), append(files, worktree.Strays(folderOf(args))...))
		if err != nil {
			return err
		}
		if err := writeValidation(cmd, format(*output), result); err != nil {
			return err
		}
		if !result.Valid {
			return exitStatus(exitFinding)
		}
		return nil
	}
	return cmd
}

func writeValidation(cmd *cobra.Command, f format, result review.Validation) error {
	out := cmd.OutOrStdout()
	if f == formatJSON {
		return writeJSON(out, result)
	}
	for _, line := range result.Findings.Lines() {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	verdict := "valid"
	if !result.Valid {
		verdict = "not valid"
	}
	_, err := fmt.Fprintf(out, "%s, %s: %s\n", count(result.Manifests, "manifest"), count(len(result.Findings), "finding"), verdict)
	if err == nil && result.Valid {
		_, err = fmt.Fprintln(out, notAsked)
	}
	return err
}

// notAsked keeps "valid" from being read as "will be approved".
const notAsked = "not asked: images, artefacts, signatures, IAM roles, privileged settings, the default controls, the rules under policy/, freezes and approvals; " +
	"'mlops plan' asks them of a committed change"

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
