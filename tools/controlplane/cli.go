package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/stack"
)

const (
	defaultDir   = ".controlplane"
	downPatience = 30 * time.Second
)

// errStopped is the cause of a context that ended because somebody asked for it.
var errStopped = errors.New("stopped")

const rootHelp = `A Kubernetes control plane on this machine, without containers: etcd, API server, controller
manager and scheduler as they are released, nodes simulated by KWOK (their pods become Ready and
run nothing), and KServe's controller with its webhooks, in Standard mode.

Everything listens on free ports of 127.0.0.1 and ends with this program, however it ends.

  controlplane up                           run until Ctrl-C; prints the kubeconfig's path
  controlplane exec -- go test ./...        run a command against a throwaway cluster
  controlplane down --dir .controlplane     stop one that runs elsewhere
  controlplane kubectl get nodes            the parts themselves: kubectl, etcd, kube-apiserver,
                                            kube-controller-manager, kube-scheduler`

// runCLI runs a command line and returns the exit code.
func runCLI(arguments []string) int {
	root := &cobra.Command{
		Use:           "controlplane",
		Short:         "A Kubernetes control plane on this machine",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(upCommand(), execCommand(), downCommand())
	root.SetArgs(arguments)
	err := root.Execute()
	var exit exitCode
	if errors.As(err, &exit) {
		return int(exit)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return 1
	}
	return 0
}

func upCommand() *cobra.Command {
	var options stack.Options
	var untilEOF bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Start a control plane and run until interrupted",
		Long: `Starts a control plane and runs until SIGINT or SIGTERM. When the cluster can be used, a line
"ready: KUBECONFIG=PATH" is printed. If a component ends by itself, everything is stopped, and the
end of its log is shown. The data stays in the directory: a later start there continues with it.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Progress = command.OutOrStdout()
			ctx, cancel := context.WithCancelCause(command.Context())
			defer cancel(nil)
			defer onSignal(func(os.Signal) { cancel(errStopped) })()
			if untilEOF {
				go func() {
					// However reading ends, whoever wrote there is gone.
					_, _ = io.Copy(io.Discard, os.Stdin)
					cancel(errStopped)
				}()
			}
			err := stack.Run(ctx, options, func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return context.Cause(ctx)
			})
			if errors.Is(err, errStopped) {
				return nil
			}
			return err
		},
	}
	addStackFlags(command, &options)
	command.Flags().StringVar(&options.Dir, "dir", defaultDir, "directory for data, certificates and logs")
	command.Flags().BoolVar(&options.Disposable, "temporary", false, "use a temporary directory, which is removed at the end, instead of --dir")
	command.MarkFlagsMutuallyExclusive("dir", "temporary")
	command.Flags().BoolVar(&untilEOF, "until-eof", false, "stop when standard input ends, too: for programs that start this one and may be killed")
	return command
}

func addStackFlags(command *cobra.Command, options *stack.Options) {
	flags := command.Flags()
	flags.StringVar(&options.NodesFile, "nodes", "", "YAML file with the Node objects to create (default: a built-in set of all node pools)")
	flags.BoolVar(&options.WithoutKServe, "without-kserve", false, "leave out KServe, to start a few seconds sooner")
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "where to write the admin's kubeconfig (default: kubeconfig in the directory)")
}

func downCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "down",
		Short: "Stop the control plane that runs in a directory",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			pid, err := stack.StopOther(dir, downPatience)
			if err != nil {
				return err
			}
			if pid == 0 {
				_, err = fmt.Fprintf(command.OutOrStdout(), "no control plane runs in %s\n", dir)
			} else {
				_, err = fmt.Fprintf(command.OutOrStdout(), "stopped process %d\n", pid)
			}
			return err
		},
	}
	command.Flags().StringVar(&dir, "dir", defaultDir, "directory the control plane was started with")
	return command
}

// onSignal calls handle for each SIGINT, SIGTERM and SIGHUP until the returned function is called.
func onSignal(handle func(os.Signal)) (stop func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for received := range signals {
			handle(received)
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}
