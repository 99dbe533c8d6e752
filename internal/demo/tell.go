package demo

import (
	"context"
	"fmt"
	"io"
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

// LookAround prints what there is to see while the world is up.
func (w *World) LookAround(out io.Writer) error {
	_, err := fmt.Fprintf(out, `
What to look at:
  export KUBECONFIG=%s
  kubectl get modelreleases -n %s          what is deployed, from where, approved by whom
  kubectl get inferenceservices -A                 what KServe made of it
  kubectl describe modelrepository %s -n %s  what the controller last saw
  %s/%s                 the repository
  %s/%s/pull/2          the high-risk pull request, with Mooring's comment
  %s   the audit log (mlops audit verify FILE)
  %s   the controller's log
`, w.Kubeconfig, Namespace, RepositoryName, Namespace, w.GitHub.URL(), FullName, w.GitHub.URL(), FullName, w.AuditFile(), w.LogFile())
	return err
}
