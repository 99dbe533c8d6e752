package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/internal/demo"
)

func demoCommand() *cobra.Command {
	var options demo.Options
	var exit bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the main job, end to end, on this machine",
		Long: `Starts a real Kubernetes control plane with KServe, a GitHub server, a model
repository and the controller, and runs the main job through the real
interfaces: pull requests of low and high risk, a direct push, a change by hand,
a removal. Each step is checked. On a terminal everything stays up until Ctrl-C.

It needs what 'make build' makes: bin/controlplane and bin/mooring-controller.`,
		Args: noArgument,
	}
	cmd.Flags().StringVar(&options.Example, "example", "", "model repository to start from (default: example-repo of the source tree)")
	cmd.Flags().BoolVar(&exit, "exit", false, "end after the last step, on a terminal too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		options.Out = cmd.OutOrStdout()
		if err := findParts(&options); err != nil {
			return err
		}
		stay := !exit && term.IsTerminal(int(os.Stdout.Fd()))
		return runDemo(cmd.Context(), cmd, options, stay)
	}
	return cmd
}

// findParts looks for the controller beside this program and for the example in
// the source tree.
func findParts(o *demo.Options) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Controller = filepath.Join(filepath.Dir(self), "mooring-controller")
	if _, err := os.Stat(o.Controller); err != nil {
		return fmt.Errorf("%w; run 'make build' first", err)
	}
	if o.Example == "" {
		root, err := controlplane.ModuleRoot()
		if err != nil {
			return fmt.Errorf("find example-repo: %w; run the demo in the source tree or give --example", err)
		}
		o.Example = filepath.Join(root, "example-repo")
	}
	return nil
}

func runDemo(ctx context.Context, cmd *cobra.Command, options demo.Options, stay bool) (err error) {
	start := time.Now()
	world, err := demo.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Stop()) }()
	if err := world.Tell(ctx); err != nil {
		broken := (*demo.StepError)(nil)
		if !errors.As(err, &broken) {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "\nFAILED: %v\n", err)
		world.ShowLog(cmd.ErrOrStderr())
		return exitStatus(exitFinding)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\nEvery step held, after %s in all.\n", time.Since(start).Round(time.Second))
	if !stay {
		return nil // nothing of it is left to look at
	}
	if err := world.LookAround(cmd.OutOrStdout()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), "\nEverything stays up. Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}
