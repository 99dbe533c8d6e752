package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/policy/signature"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

func modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Show what is signed of a model, and verify a signature",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(modelStatementCommand(), modelVerifyCommand())
	return cmd
}

func modelStatementCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "statement FILE",
		Short: "Print exactly the bytes that are signed of a manifest's model",
		Long: `Prints the statement about the model of a manifest: its registered name, its
version, where the artefact lies and the artefact's digest. FILE is a
deployment.yaml in a model repository; the environment's file beside it says
where the artefact lies if the manifest does not.`,
		Example: `  mlops model statement models/data-science/churn/production/deployment.yaml > statement
  cosign sign-blob --key cosign.key statement
  openssl dgst -sha256 -sign key.pem statement | base64 -w0`,
		Args: oneArgument("FILE"),
	}
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, statement, err := readStatement(args[0])
		if err != nil {
			return err
		}
		text, err := statement.Bytes()
		if err != nil {
			return usage("%s: %w", args[0], err)
		}
		if format(*output) == formatJSON {
			return writeJSON(cmd.OutOrStdout(), struct {
				Statement string `json:"statement"`
			}{string(text)})
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	}
	return cmd
}

func modelVerifyCommand() *cobra.Command {
	var keyFiles []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify the signature that a manifest carries",
		Long: `Verifies spec.model.signature over the statement that 'mlops model statement'
prints, by the keys of the environment, or by those given with --key. Exit code 1
says that the signature is missing or by none of the keys.`,
		Example: "  mlops model verify models/data-science/churn/production/deployment.yaml --key cosign.pub",
		Args:    oneArgument("FILE"),
	}
	cmd.Flags().StringArrayVar(&keyFiles, "key", nil, "file with a public key in PEM form, in place of the environment's; can be repeated")
	output := outputFlag(cmd, formatText, formatJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys, err := readKeys(keyFiles)
		if err != nil {
			return err
		}
		m, statement, err := readStatement(args[0])
		if err != nil {
			return err
		}
		if len(keyFiles) == 0 {
			keys = m.keys
		}
		if len(keys) == 0 {
			return usage("the environment names no keys; give one with --key")
		}
		by, err := signature.Verify(statement, m.signature, keys)
		if err := writeSignature(cmd, format(*output), statement, m.signature, by, err); err != nil {
			return err
		}
		if err != nil {
			return exitStatus(exitFinding)
		}
		return nil
	}
	return cmd
}

// signed is what a manifest and its environment say of signatures.
type signed struct {
	signature string
	keys      []string
}

func writeSignature(cmd *cobra.Command, f format, s signature.Statement, text string, by int, verdict error) error {
	reason := fmt.Sprintf("signed by key %d over %s", by+1, s)
	switch {
	case text == "":
		reason = "spec.model.signature is missing"
	case verdict != nil:
		reason = fmt.Sprintf("%v: %s", verdict, s)
	}
	if f == formatJSON {
		return writeJSON(cmd.OutOrStdout(), struct {
			Valid  bool   `json:"valid"`
			Reason string `json:"reason"`
		}{verdict == nil, reason})
	}
	word := "good"
	if verdict != nil {
		word = "NOT GOOD"
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", word, reason)
	return err
}

func readKeys(files []string) ([]string, error) {
	var keys []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		if _, err := schemas.ParsePublicKey(string(text)); err != nil {
			return nil, usage("%s: %w", file, err)
		}
		keys = append(keys, string(text))
	}
	return keys, nil
}

// readStatement reads a manifest and its environment as they lie on the disk.
func readStatement(file string) (signed, signature.Statement, error) {
	dir, path, err := manifestPath(file)
	if err != nil {
		return signed{}, signature.Statement{}, err
	}
	files, err := worktree.Read(dir)
	if err != nil {
		return signed{}, signature.Statement{}, usageError{err}
	}
	repo, findings := schemas.LoadRepository(files)
	doc := repo.Deployments[path]
	if doc == nil {
		return signed{}, signature.Statement{}, brokenFile(findings, path)
	}
	environment := doc.Value.Spec.Environment
	env := repo.Platform.Environments[environment]
	if env == nil {
		return signed{}, signature.Statement{}, brokenFile(findings, schemas.EnvironmentPath(environment))
	}
	m := signed{signature: doc.Value.Spec.Model.Signature}
	if s := env.Value.Spec.Signatures(); s != nil {
		m.keys = s.Keys
	}
	return m, review.Statement(&env.Value, doc.Value), nil
}

// manifestPath splits a file's path into the repository's folder and the path
// inside it.
func manifestPath(file string) (dir, path string, err error) {
	full, err := filepath.Abs(file)
	if err != nil {
		return "", "", usageError{err}
	}
	const segments = 5 // models/TEAM/MODEL/ENVIRONMENT/deployment.yaml
	parts := strings.Split(filepath.ToSlash(full), "/")
	if len(parts) > segments {
		path = strings.Join(parts[len(parts)-segments:], "/")
	}
	if schemas.ClassifyPath(path) != schemas.PathManifest {
		return "", "", usage("%s is no models/TEAM/MODEL/ENVIRONMENT/deployment.yaml", file)
	}
	if _, err := os.Stat(full); err != nil {
		return "", "", usageError{err}
	}
	return filepath.FromSlash(strings.Join(parts[:len(parts)-segments], "/") + "/"), path, nil
}

// brokenFile says what is wrong with a file that is needed.
func brokenFile(findings schemas.Findings, path string) error {
	findings.Sort()
	for _, f := range findings {
		if f.File == path && f.Severity == schemas.SeverityError {
			return usageError{errors.New(f.String())}
		}
	}
	return usage("%s is missing", path)
}
