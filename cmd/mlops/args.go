package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wrapArgs makes wrong arguments of any command a wrong call.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := strayValue(cmd, args)
			if err == nil {
				err = check(cmd, args)
			}
			if err != nil {
				return usage("%w; see '%s --help'", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// strayValue finds the "true" of `--explain true`: a switch takes a value after
// "=" alone, so the word would be taken for an argument, such as a folder.
func strayValue(cmd *cobra.Command, args []string) (err error) {
	i := slices.IndexFunc(args, func(a string) bool { return a == "true" || a == "false" })
	if i < 0 {
		return nil
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "bool" {
			err = fmt.Errorf("%q is out of place: --%s needs no value; leave it out, or write --%s=%s", args[i], f.Name, f.Name, args[i])
		}
	})
	return err
}

// noArgument is for commands that take options alone.
func noArgument(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is out of place: '%s' takes options alone; leave it out, or put its option before it", args[0], cmd.CommandPath())
	}
	return nil
}

// oneArgument is for commands that need one argument.
func oneArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("'%s' needs the argument %s", cmd.CommandPath(), name)
		}
		return maybeArgument(name)(cmd, args)
	}
}

// maybeArgument is for commands that take one argument and need none.
func maybeArgument(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%q is out of place: '%s' takes one %s, and has %q", args[1], cmd.CommandPath(), name, args[0])
		}
		return nil
	}
}

// noSuchCommand is for commands that are only the names of others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for '%s'", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		text += "; did you mean " + strings.Join(names, " or ") + "?"
	}
	return errors.New(text)
}
