package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/audit"
)

const defaultAuditFile = "/var/lib/mooring/audit/audit.jsonl"

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove the audit trail unbroken, or write it out",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(auditVerifyCommand(), auditExportCommand())
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
	_, err := fmt.Fprintf(out, "unbroken: %d records, head %s\n", report.Records, report.Head)
	return err
}

func auditExportCommand() *cobra.Command {
	var filter audit.Filter
	var since, until, as string
	var actions []string
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the audit trail out as JSON lines or CSV",
		Args:  maybeArgument("FILE"),
	}
	f := cmd.Flags()
	f.StringVar(&since, "since", "", "only records from this time on (RFC 3339)")
	f.StringVar(&until, "until", "", "only records before this time (RFC 3339)")
	f.StringVar(&filter.Team, "team", "", "only this team")
	f.StringVar(&filter.Model, "model", "", "only this model")
	f.StringVar(&filter.Environment, "environment", "", "only this environment")
	f.StringSliceVar(&actions, "action", nil, "only these actions, such as apply,heal")
	f.StringVarP(&as, "output", "o", string(audit.JSONLines), "output format: jsonl, csv")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for text, target := range map[string]*time.Time{since: &filter.Since, until: &filter.Until} {
			if text == "" {
				continue
			}
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return usage("%q is not a time of the form 2006-01-02T15:04:05Z", text)
			}
			*target = t
		}
		if as != string(audit.JSONLines) && as != string(audit.CSV) {
			return usage("unknown output format %q; one of jsonl, csv", as)
		}
		for _, a := range actions {
			filter.Actions = append(filter.Actions, audit.Action(a))
		}
		log, err := audit.Snapshot(auditFile(args))
		if err != nil {
			return err
		}
		defer log.Close() // opened for reading
		_, err = audit.Export(log, cmd.OutOrStdout(), audit.Format(as), filter)
		return err
	}
	return cmd
}
