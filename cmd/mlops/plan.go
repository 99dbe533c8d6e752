package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/sandbox"
	"github.com/mlops-platform/mooring/policy"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/reconciler/source"
)

type planFlags struct {
	repo, base, head, reviews, at string
}

func (p *planFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.repo, "repo", ".", "clone of the model repository")
	f.StringVar(&p.base, "base", "", "where the pull request would be merged (required)")
	f.StringVar(&p.head, "head", "", "what would be merged (required)")
	f.StringVar(&p.reviews, "reviews", "", "file with author, reviews and teams; - for standard input")
	f.StringVar(&p.at, "at", "", "time of judging, RFC 3339 (default: now)")
}

func planCommand() *cobra.Command {
	var flags planFlags
	cmd := &cobra.Command{
		Use:   "plan --base REF --head REF",
		Short: "Show what a pull request would be told: risk, approvals, cost, findings, diff",
		Long: `Runs the whole gate offline on a clone. REF is a branch, tag or commit; only
what is committed is judged.

Without --reviews nobody has reviewed. FILE holds what GitHub would say:
  {"author": "login", "committers": [], "coAuthors": [],
   "reviews": [{"user": "login", "type": "User", "state": "APPROVED",
                "commit_id": "…", "submitted_at": "2026-01-02T15:04:05Z"}],
   "teams": {"org/slug": ["login"]}, "files_truncated": false,
   "requested": "2026-01-02T12:00:00Z"}
"requested" is when approval was first asked for; without it nothing is due.

-o markdown prints the comment that the pull request would get.`,
		Example: "  mlops plan --repo . --base main --head my-change\n" +
			"  mlops plan --repo . --base main --head my-change -o markdown",
		Args: noArgument,
	}
	flags.add(cmd)
	output := outputFlag(cmd, formatText, formatJSON, formatMarkdown)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		report, err := plan(cmd.Context(), cmd, flags)
		if err != nil {
			return err
		}
		if err := writeReport(cmd.OutOrStdout(), format(*output), report); err != nil {
			return err
		}
		return verdictStatus(report.Verdict)
	}
	return cmd
}

func writeReport(w io.Writer, f format, report *review.Report) error {
	switch f {
	case formatJSON:
		return writeJSON(w, report)
	case formatMarkdown:
		_, err := io.WriteString(w, review.Comment(report))
		return err
	default:
		return report.WriteText(w)
	}
}

func verdictStatus(v policy.Verdict) error {
	switch v {
	case policy.Pass:
		return nil
	case policy.Pending, policy.Fail:
		return exitStatus(exitFinding)
	default:
		return exitStatus(exitError)
	}
}

func plan(ctx context.Context, cmd *cobra.Command, flags planFlags) (*review.Report, error) {
	if flags.base == "" || flags.head == "" {
		return nil, usage("--base and --head are required; see '%s --help'", cmd.CommandPath())
	}
	req := review.Request{Now: time.Now(), Repository: "local"}
	var err error
	if cmd.Flags().Changed("at") {
		if req.Now, err = time.Parse(time.RFC3339, flags.at); err != nil {
			return nil, usage("--at %q is not a time of the form 2006-01-02T15:04:05Z", flags.at)
		}
	}
	if req.People, err = readPeople(cmd, flags.reviews); err != nil {
		return nil, err
	}
	if req.Rules, err = sandbox.New(); err != nil {
		return nil, err
	}
	repo, err := openRepository(flags.repo)
	if err != nil {
		return nil, err
	}
	defer repo.Close() // opened for reading
	for _, end := range []struct {
		ref string
		id  *source.ID
	}{{flags.base, &req.Base}, {flags.head, &req.Head}} {
		if *end.id, err = repo.Resolve(ctx, end.ref); err != nil {
			return nil, usageError{err}
		}
	}
	return review.Evaluate(ctx, repo, req)
}

// openRepository opens the repository that a folder belongs to. A folder that is
// misspelt is a wrong call even where one above it is a repository.
func openRepository(dir string) (*source.Repository, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, usageError{err}
	} else if !info.IsDir() {
		return nil, usage("%s is not a folder", dir)
	}
	repo, err := source.Open(dir)
	return repo, asUsage(err)
}

func readPeople(cmd *cobra.Command, file string) (review.People, error) {
	switch {
	case !cmd.Flags().Changed("reviews"):
		return review.Nobody(), nil
	case file == "-":
		people, err := review.ReadPeople(cmd.InOrStdin())
		return people, asUsage(err)
	}
	f, err := os.Open(file)
	if err != nil {
		return review.People{}, usageError{err}
	}
	defer f.Close() // opened for reading
	people, err := review.ReadPeople(f)
	if err != nil {
		return people, usage("%s: %w", file, err)
	}
	return people, nil
}

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}
