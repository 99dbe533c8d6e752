package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// format is the value of -o.
type format string

const (
	formatText     format = "text"
	formatJSON     format = "json"
	formatYAML     format = "yaml"
	formatMarkdown format = "markdown"
)

// outputFlag adds -o with the formats that a command knows, the first being the default.
func outputFlag(cmd *cobra.Command, formats ...format) *string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	out := cmd.Flags().StringP("output", "o", names[0], "output format: "+strings.Join(names, ", "))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(names, *out) {
			return usage("unknown output format %q; one of %s", *out, strings.Join(names, ", "))
		}
		return nil
	}
	return out
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
