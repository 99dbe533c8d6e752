// Command mooring-controller is the service: it follows ModelRepository objects,
// judges pull requests, and brings to the cluster what is approved. It holds
// flags and wiring; no logic.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/mlops-platform/mooring/internal/audit"
	"github.com/mlops-platform/mooring/internal/remote"
	"github.com/mlops-platform/mooring/internal/sandbox"
	"github.com/mlops-platform/mooring/reconciler/controller"
)

// version is set by the build.
var version = "dev"

func main() {
	sandbox.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "mooring-controller: %v\n", err)
	if errors.As(err, new(usageError)) {
		os.Exit(2) // as for a flag that is unknown
	}
	os.Exit(1)
}

// usageError is a wrong call.
type usageError struct{ error }

type flags struct {
	options   controller.Options
	auditFile string
	config    string
	logLevel  slog.Level
	version   bool
}

func parseFlags() (*flags, error) {
	f := &flags{}
	o := &f.options
	flag.StringVar(&o.Namespace, "namespace", "mooring-system", "namespace of the ModelRepository objects and of the receipts")
	flag.StringVar(&o.MirrorDir, "mirror-dir", "/var/lib/mooring/mirrors", "folder for copies of Git repositories; may be lost at any time")
	flag.StringVar(&f.auditFile, "audit-file", "/var/lib/mooring/audit/audit.jsonl", "the append-only audit log; keep it on a persistent volume")
	flag.StringVar(&f.config, "config", "", "file with ModelRepository objects, applied to the cluster at the start")
	flag.StringVar(&o.MetricsAddress, "metrics-address", ":8080", `where /metrics is served; "0" for nowhere`)
	flag.StringVar(&o.ProbeAddress, "probe-address", ":8081", `where /healthz and /readyz are served; "0" for nowhere`)
	flag.StringVar(&o.WebhookAddress, "webhook-address", ":9292", `where /webhooks/NAMESPACE/NAME is served; "0" for nowhere`)
	flag.BoolVar(&o.LeaderElection, "leader-elect", false, "let one of several replicas work, and the others wait")
	flag.IntVar(&o.Concurrency, "concurrency", 8, "how many models are looked at at a time")
	flag.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	flag.BoolVar(&f.version, "version", false, "print the version and exit")
	flag.Parse()
	return f, strayWord(flag.CommandLine, os.Args[1:])
}

// strayWord finds a word that is no flag. It and every flag after it would be
// ignored without a word: the audit log would go elsewhere than was asked.
func strayWord(set *flag.FlagSet, args []string) error {
	if set.NArg() == 0 {
		return nil
	}
	word := set.Arg(0)
	remedy := "leave it out, or put its flag before it"
	if before := len(args) - set.NArg() - 1; before >= 0 {
		name := strings.TrimLeft(args[before], "-")
		if f := set.Lookup(name); f != nil && name != args[before] && isSwitch(f) {
			remedy = fmt.Sprintf("--%s needs no value: leave %q out, or write --%s=%s", name, word, name, word)
		}
	}
	return usageError{fmt.Errorf("%q is no flag, and flags after it would not be read; %s", word, remedy)}
}

// isSwitch tells a flag that takes no value from the word after it.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

func run(ctx context.Context) (err error) {
	f, err := parseFlags()
	if err != nil {
		return err
	}
	if f.version {
		_, err := fmt.Println("mooring-controller", version)
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: f.logLevel}))
	slog.SetDefault(log)
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	f.options.Config, err = config.GetConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return errors.New("find the cluster: this is no pod, and no kubeconfig names one; set KUBECONFIG, or give --kubeconfig FILE")
	case err != nil:
		return fmt.Errorf("find the cluster: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(f.auditFile), 0o700); err != nil {
		return fmt.Errorf("make the folder of the audit log: %w", err)
	}
	trail := audit.NewStandby(f.auditFile, audit.Options{Log: log})
	defer func() { err = errors.Join(err, trail.Close()) }()
	f.options.Trail, f.options.Audit, f.options.Witness = trail, trail, trail
	f.options.Dial, f.options.Log = new(remote.Dialer).Dial, log
	if f.options.Rules, err = sandbox.New(); err != nil {
		return err
	}
	if f.config != "" {
		if err := controller.ApplyConfig(ctx, f.options, f.config); err != nil {
			return err
		}
	}
	c, err := controller.New(f.options)
	if err != nil {
		return err
	}
	log.Info("starting", "version", version, "namespace", f.options.Namespace)
	return c.Run(ctx)
}
