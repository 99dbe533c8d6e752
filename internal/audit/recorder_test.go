package audit_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/reconciler/release"
)

type appender struct {
	entry audit.Entry
	err   error
}

func (a *appender) Append(_ context.Context, e audit.Entry) (audit.Record, error) {
	a.entry = e
	return audit.Record{Entry: e}, a.err
}

func TestRecorderMapsEveryField(t *testing.T) {
	to := &appender{}
	evidence := map[string]any{"hash": "h"}
	err := audit.Recorder{Log: to}.Record(t.Context(), release.Event{
		Key: "k", Phase: release.Intent, Action: release.ActionApply, Repository: "r", Team: "t", Model: "m", Environment: "e",
		Path: "p", Commit: "c", Digest: "d", Reason: "because", Evidence: evidence,
	})
	want := audit.Entry{
		Key: "k", Phase: audit.PhaseIntent, Action: audit.ActionApply, Actor: "mooring",
		Subject: audit.Subject{Repository: "r", Team: "t", Model: "m", Environment: "e"},
		Commit:  "c", Digest: "d", Reason: "because", Evidence: map[string]any{"path": "p", "hash": "h"},
	}
	if err != nil || !reflect.DeepEqual(to.entry, want) {
		t.Errorf("%v: got %+v", err, to.entry)
	}
	if len(evidence) != 1 {
		t.Error("the caller's evidence was changed")
	}
}

func TestRecorderNamesThePersonAndKeepsTheError(t *testing.T) {
	to := &appender{err: audit.ErrFailed}
	err := audit.Recorder{Log: to}.Record(t.Context(), release.Event{Actor: "ada"})
	if !errors.Is(err, audit.ErrFailed) || to.entry.Actor != "ada" {
		t.Errorf("%v by %s", err, to.entry.Actor)
	}
}

// Every action and phase of the engine is a word that the log takes.
func TestLogTakesWhatTheEngineRecords(t *testing.T) {
	log, err := audit.Open(t.TempDir()+"/audit.jsonl", audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, phase := range []release.Phase{release.Intent, release.Outcome, release.Decided} {
		for _, action := range []release.Action{
			release.ActionTrust, release.ActionApprove, release.ActionRemove, release.ActionQuarantine, release.ActionRestore,
			release.ActionApply, release.ActionPrune, release.ActionHeal, release.ActionDrift,
		} {
			for range 2 { // the second time as after a crash
				if err := release.Record(t.Context(), audit.Recorder{Log: log}, release.Event{Phase: phase, Action: action}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if head := log.Head(); head.Seq != 27 {
		t.Errorf("the log has %d records", head.Seq)
	}
}

// An action that the release engine writes and that is not listed would be refused
// as misspelt where an auditor asks for it.
func TestEveryActionOfTheEngineIsListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../reconciler/release/auditor.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	written := []audit.Action{audit.ActionRepair} // the log's own
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, named := spec.Type.(*ast.Ident); named && kind.Name == "Action" {
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			written = append(written, audit.Action(word))
		}
		return true
	})
	listed := audit.Actions()
	slices.Sort(written)
	slices.Sort(listed)
	if len(written) < 10 || !slices.Equal(written, listed) {
		t.Errorf("written are %v, listed %v", written, listed)
	}
}
