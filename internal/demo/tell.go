package demo

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// StepError names the step that did not hold.
type StepError struct {
	Step string
	Err  error
}

func (e *StepError) Error() string { return fmt.Sprintf("%q did not hold: %v", e.Step, e.Err) }

// Unwrap gives the cause.
func (e *StepError) Unwrap() error { return e.Err }

// Tell runs the story and prints each step with its evidence. The error is a
// *StepError.
func (w *World) Tell(ctx context.Context) error {
	for i, step := range Story {
		start := time.Now()
		if _, err := fmt.Fprintf(w.Out, "\n%d/%d %s\n", i+1, len(Story), step.Name); err != nil {
			return err
		}
		evidence, err := step.Run(ctx, w)
		for _, line := range evidence {
			if _, err := fmt.Fprintf(w.Out, "      %s\n", line); err != nil {
				return err
			}
		}
		if err != nil {
			return &StepError{Step: step.Name, Err: err}
		}
		if _, err := fmt.Fprintf(w.Out, "      ✓ held, %s\n", time.Since(start).Round(100*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// LookAround prints what there is to see while the world is up. The programs are
// called as they lie in bin.
func (w *World) LookAround(out io.Writer) error {
	site := w.GitHub.URL() + "/" + FullName
	rows := [][2]string{
		{"export KUBECONFIG=" + w.Kubeconfig, "first of all"},
		{"bin/kubectl get modelreleases -A", "what is deployed, of which risk, and how it fares"},
		{"bin/kubectl get inferenceservices -A", "what KServe made of it"},
		{fmt.Sprintf("bin/kubectl describe modelrepository %s -n %s", RepositoryName, w.Namespace), "what the controller last saw and decided"},
		{"bin/mlops audit verify " + w.AuditFile(), "proves the audit trail unbroken"},
		{"bin/mlops audit running " + w.AuditFile(), "by whose approval each model runs"},
		{"bin/mlops audit export -o text " + w.AuditFile(), "all that was decided and done"},
		{"tail -f " + w.LogFile(), "what the controller does"},
		{site, "the model repository"},
		{fmt.Sprintf("%s/pull/%d", site, w.board), "the pull request of high risk, with Mooring's comment"},
	}
	if _, err := fmt.Fprint(out, "\nWhat to look at:\n"); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return table.Flush()
}
