package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/audit"
)

const defaultAuditFile = "/var/lib/mooring/audit/audit.jsonl"

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove the audit trail unbroken, or ask it",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(auditVerifyCommand(), auditExportCommand(), auditRunningCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	var heads []string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Prove that no record was changed, removed, added or reordered",
		Long: `Reads the whole log and recomputes its chain. Records missing at the end can
only be seen against a head that is known from elsewhere: the file FILE.head, and
every --head SEQ:HASH. Exit code 1 says that the trail is broken, and where.`,
		Args: maybeArgument("FILE"),
	}
	cmd.Flags().StringArrayVar(&heads, "head", nil, "a head noted elsewhere, SEQ:HASH, that the log must contain")
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var known []audit.Head
		for _, text := range heads {
			h, err := audit.ParseHead(text)
			if err != nil {
				return usageError{err}
			}
			known = append(known, h)
		}
		report, err := audit.VerifyFile(auditFile(args), known...)
		if errors.Is(err, audit.ErrHeadMissing) {
			return fmt.Errorf("%d records are unbroken, to %s; whether more stood behind them is not proven: %w; "+
				"give --head with a head that was noted elsewhere", report.Records, report.Head, err)
		}
		broken := (*audit.BrokenError)(nil)
		if err != nil && !errors.As(err, &broken) {
			return err
		}
		if err := writeVerification(cmd, format(*output), report, broken); err != nil {
			return err
		}
		if broken != nil {
			return exitStatus(exitFinding)
		}
		return nil
	}
	return cmd
}

func auditFile(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return defaultAuditFile
}

func writeVerification(cmd *cobra.Command, f format, report audit.Report, broken *audit.BrokenError) error {
	out := cmd.OutOrStdout()
	if f == formatJSON {
		result := struct {
			Valid bool `json:"valid"`
			audit.Report
			Broken string `json:"broken,omitempty"`
		}{broken == nil, report, ""}
		if broken != nil {
			result.Broken = broken.Error()
		}
		return writeJSON(out, result)
	}
	if broken != nil {
		_, err := fmt.Fprintf(out, "BROKEN: %v\n%d records before it are unbroken\n", broken, report.Records)
		return err
	}
	span := ""
	if report.Records > 0 { // an older copy shows by its end
		span = fmt.Sprintf(" from %s to %s", report.First.Format(time.RFC3339), report.Last.Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(out, "unbroken: %d records%s, head %s\n", report.Records, span, report.Head)
	return err
}

func auditExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the audit trail out, all of it or what is asked for",
		Long: `Writes the records that all options select: as the lines that stand in the log
(jsonl), as a table for spreadsheets (csv), or for people (text). The chain is
verified on the way, against FILE.head, too; exit code 3 says that it is broken or
cut off, and where.`,
		Example: `  # what happened to a model in November
  mlops audit export -o text --model churn-predictor --since 2026-11-01 --until 2026-12-01
  # what a person approved
  mlops audit export -o text --person ada --action approve,remove`,
		Args: maybeArgument("FILE"),
	}
	question := questionFlags(cmd)
	since := cmd.Flags().String("since", "", "only records from this time on (2006-01-02, in UTC, or RFC 3339)")
	actions := cmd.Flags().StringSlice("action", nil, "only these actions, such as approve,break-glass")
	as := cmd.Flags().StringP("output", "o", string(audit.JSONLines), "output format: "+joined(audit.Formats()))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		filter, err := question()
		if err != nil {
			return err
		}
		if filter.Since, err = timeOf(*since); err != nil {
			return err
		}
		if !slices.Contains(audit.Formats(), audit.Format(*as)) {
			return usage("unknown output format %q; one of %s", *as, joined(audit.Formats()))
		}
		for _, a := range *actions {
			// A misspelt action would select nothing, which reads as "it never happened".
			if !slices.Contains(audit.Actions(), audit.Action(a)) {
				return usage("unknown action %q; one of %s", a, joined(audit.Actions()))
			}
			filter.Actions = append(filter.Actions, audit.Action(a))
		}
		return onLog(cmd, args, func(log io.Reader, heads ...audit.Head) error {
			n, err := audit.Export(log, cmd.OutOrStdout(), audit.Format(*as), filter, heads...)
			if err == nil && n == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "mlops: no record matches") // beside the answer
			}
			return err
		})
	}
	return cmd
}

func auditRunningCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "running [FILE]",
		Short: "List what is deployed, by whose approval and from which commit",
		Long: `Replays the trail to its end, or to --until, and lists every model that stands
deployed there: since when, from which commit, by which pull request at which
level of risk, and who approved it in which role. RECORD is the number of the
record that says so. The chain is verified on the way, against FILE.head, too;
exit code 3 says that it is broken or cut off, and where.`,
		Args: maybeArgument("FILE"),
	}
	question := questionFlags(cmd)
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		filter, err := question()
		if err != nil {
			return err
		}
		return onLog(cmd, args, func(log io.Reader, heads ...audit.Head) error {
			runs, err := audit.Running(log, filter, heads...)
			if err != nil {
				return err
			}
			if format(*output) == formatJSON {
				return writeJSON(cmd.OutOrStdout(), append([]audit.Run{}, runs...))
			}
			return audit.WriteRunning(cmd.OutOrStdout(), runs)
		})
	}
	return cmd
}

// questionFlags adds what both questions can be narrowed by; the function gives
// what was asked.
func questionFlags(cmd *cobra.Command) func() (audit.Filter, error) {
	var filter audit.Filter
	var until string
	f := cmd.Flags()
	f.StringVar(&until, "until", "", "only what is before this time (2006-01-02, in UTC, or RFC 3339)")
	f.StringVar(&filter.Team, "team", "", "only this team")
	f.StringVar(&filter.Model, "model", "", "only this model")
	f.StringVar(&filter.Environment, "environment", "", "only this environment")
	f.StringVar(&filter.Person, "person", "", "only what this login, or account's id, approved or did")
	return func() (_ audit.Filter, err error) {
		filter.Until, err = timeOf(until)
		return filter, err
	}
}

// timeOf reads a time or a day; the zero time where nothing is given.
func timeOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("%q is not a time of the form 2006-01-02T15:04:05Z or 2006-01-02", text)
}

// onLog reads the whole lines of a log that may be written meanwhile, and gives
// the head that it must contain. Without one it says that the end is unproven:
// what was cut off would be missing from the answer.
func onLog(cmd *cobra.Command, args []string, ask func(io.Reader, ...audit.Head) error) error {
	path := auditFile(args)
	var heads []audit.Head
	head, headErr := audit.LastHead(path)
	switch {
	case headErr == nil:
		heads = append(heads, head)
	case !errors.Is(headErr, audit.ErrHeadMissing):
		return headErr
	}
	log, err := audit.Snapshot(path)
	if err != nil {
		return err
	}
	defer log.Close() // opened for reading
	if headErr != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "mlops: whether records were cut off the end is not proven: %v; "+
			"`mlops audit verify --head` proves it by a head that was noted elsewhere\n", headErr)
	}
	return ask(log, heads...)
}

func joined[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}
