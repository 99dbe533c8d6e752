package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/stack"
)

// commandGrace is how long COMMAND may take to end when the cluster has failed under it.
const commandGrace = 10 * time.Second

// exitCode is the error that makes this program exit with COMMAND's code.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func execCommand() *cobra.Command {
	var options stack.Options
	command := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command against a control plane that lives as long as the command",
		Long: `Starts a control plane in a temporary directory (or in --dir, which is kept), runs COMMAND with
KUBECONFIG set, stops everything and exits with COMMAND's exit code. Progress goes to standard error.`,
		Example: `  controlplane exec -- go test ./reconciler/...
  controlplane exec --without-kserve -- kubectl get nodes`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			options.Progress = command.ErrOrStderr()
			return runExec(command.Context(), options, arguments)
		},
	}
	addStackFlags(command, &options)
	command.Flags().StringVar(&options.Dir, "dir", "", "directory for data, certificates and logs (default: a temporary one)")
	return command
}

func runExec(ctx context.Context, options stack.Options, arguments []string) error {
	program, err := exec.LookPath(arguments[0])
	if err != nil {
		return fmt.Errorf("finding the command: %w", err)
	}
	if options.Dir == "" {
		options.Disposable = true
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	forward := &forwarder{stop: func() { cancel(errStopped) }}
	defer onSignal(forward.handle)()
	return stack.Run(ctx, options, func(ctx context.Context, kubeconfig string) error {
		return forward.run(ctx, program, arguments, kubeconfig)
	})
}

// forwarder passes signals on to COMMAND while that runs, and stops everything before.
type forwarder struct {
	stop func()

	mu      sync.Mutex
	process *os.Process
}

func (f *forwarder) handle(received os.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process == nil {
		f.stop()
		return
	}
	// Ctrl-C in a terminal has reached COMMAND already: it is in the same process group.
	if received == os.Interrupt && term.IsTerminal(int(os.Stdin.Fd())) {
		return
	}
	if err := f.process.Signal(received); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintln(os.Stderr, "controlplane: forwarding a signal:", err)
	}
}

// run runs COMMAND and returns its exit code as an error, or nil for zero.
func (f *forwarder) run(ctx context.Context, program string, arguments []string, kubeconfig string) error {
	command := exec.CommandContext(ctx, program, arguments[1:]...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = commandGrace
	if err := f.start(command); err != nil {
		return fmt.Errorf("starting the command: %w", err)
	}
	err := command.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitCode(128 + int(status.Signal())) // As shells report it.
	}
	return exitCode(exit.ExitCode())
}

func (f *forwarder) start(command *exec.Cmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := command.Start(); err != nil {
		return err
	}
	f.process = command.Process
	return nil
}
