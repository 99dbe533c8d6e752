package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mlops-platform/mooring/reconciler/controller"
	"github.com/mlops-platform/mooring/reconciler/review"
	"github.com/mlops-platform/mooring/schemas"
)

type agendaFlags struct{ board, namespace, repository string }

// boardAgenda is one board's agenda as JSON.
type boardAgenda struct {
	Repository string `json:"repository"`
	schemas.BoardStatus
}

func agendaCommand() *cobra.Command {
	var flags agendaFlags
	cmd := &cobra.Command{
		Use:   "agenda",
		Short: "Show what the next meetings of boards are about",
		Long: `Reads the ModelRepository objects of the cluster of the current kubeconfig,
where the controller keeps for each board its next meeting and the changes that
wait for it. As Markdown it is a page to paste into an invitation.`,
		Example: "  mlops agenda --board cab --output markdown",
		Args:    noArgument,
	}
	f := cmd.Flags()
	f.StringVar(&flags.board, "board", "", "only this board")
	f.StringVar(&flags.namespace, "namespace", "mooring-system", "namespace of the ModelRepository objects")
	f.StringVar(&flags.repository, "repository", "", "only the ModelRepository of this name")
	kubeconfigFlag(cmd)
	output := outputFlag(cmd, formatText, formatJSON, formatMarkdown)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := clusterConfig()
		if err != nil {
			return err
		}
		scheme, err := controller.Scheme()
		if err != nil {
			return err
		}
		cluster, err := client.New(cfg, client.Options{Scheme: scheme})
		if err != nil {
			return fmt.Errorf("connect to the cluster: %w", err)
		}
		boards, err := flags.boards(cmd.Context(), cluster)
		if err != nil {
			return err
		}
		return writeAgendas(cmd.OutOrStdout(), format(*output), boards)
	}
	return cmd
}

// boards are the agendas that the flags select. To select none that exists is a
// wrong call: an agenda that is empty is not the same as a board that is misspelt.
func (f agendaFlags) boards(ctx context.Context, cluster client.Reader) ([]boardAgenda, error) {
	var list schemas.ModelRepositoryList
	if err := cluster.List(ctx, &list, client.InNamespace(f.namespace)); err != nil {
		return nil, fmt.Errorf("list the ModelRepository objects in %s: %w", f.namespace, err)
	}
	boards, repositories := []boardAgenda{}, 0
	for _, repo := range list.Items {
		if f.repository != "" && f.repository != repo.Name {
			continue
		}
		repositories++
		for _, b := range repo.Status.Boards {
			if f.board == "" || f.board == b.Name {
				boards = append(boards, boardAgenda{repo.Name, b})
			}
		}
	}
	switch {
	case repositories == 0 && f.repository != "":
		return nil, usage("there is no ModelRepository %q in the namespace %q", f.repository, f.namespace)
	case repositories == 0:
		return nil, usage("there is no ModelRepository in the namespace %q", f.namespace)
	case len(boards) == 0 && f.board != "":
		return nil, usage("no ModelRepository that was looked at has the board %q", f.board)
	}
	return boards, nil
}

func writeAgendas(w io.Writer, f format, boards []boardAgenda) error {
	if f == formatJSON {
		return writeJSON(w, boards)
	}
	for i, b := range boards {
		text := review.AgendaText(b.BoardStatus)
		if f == formatMarkdown {
			text = review.AgendaMarkdown(b.BoardStatus)
		}
		if i > 0 {
			text = "\n" + text
		}
		if _, err := io.WriteString(w, text); err != nil {
			return fmt.Errorf("write the agenda: %w", err)
		}
	}
	if len(boards) == 0 {
		_, err := fmt.Fprintln(w, "The governance has no board.")
		return err
	}
	return nil
}
