// Command mlops is what people type: it checks model repositories, shows what a
// pull request would be told, renders and compares objects, verifies the audit
// trail, and runs the demo. It holds flags, wiring and exit codes; no logic.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/sandbox"
)

// version is set by the build.
var version = "dev"

// The exit codes of every command.
const (
	exitPass    = 0
	exitFinding = 1
	exitUsage   = 2
	exitError   = 3
)

// exitStatus is an outcome that is not an error: it has been printed already.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usageError is a wrong call: an unknown option, model, reference or folder.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	sandbox.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	var wrong usageError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "mlops: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(os.Stderr, "mlops: %v\n", err)
		return exitError
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "mlops",
		Short: "Check, plan, render and compare model deployments kept in Git",
		Long: `mlops works on a model repository: a Git repository with the manifests of
model deployments, the teams and environments they run in, and the governance
by which a change is judged.

Exit codes: 0 pass, 1 a finding or something pending, 2 a wrong call, 3 it could
not be judged. Every command prints JSON with -o json.`,
		Version: version, SilenceUsage: true, SilenceErrors: true,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see '%s --help'", err, cmd.CommandPath())
	})
	root.AddCommand(validateCommand(), testPolicyCommand(), planCommand(), explainCommand(), renderCommand(), diffCommand(), agendaCommand(), modelCommand(), auditCommand(), demoCommand())
	root.InitDefaultCompletionCmd()
	wrapArgs(root)
	return root
}
