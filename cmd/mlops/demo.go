package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{Use: "demo", Short: "Run the main job, end to end, on this machine", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("in the works") }}
}
