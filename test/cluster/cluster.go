package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/mlops-platform/mooring/internal/controlplane"
)

const (
	startLimit = 4 * time.Minute // Seconds when all is well; minutes beside a build.
	limit      = 3 * time.Minute // Likewise, for what the running cluster is asked for.
	stemLimit  = 16
)

// own is the control plane of this test process, if one was started.
var own struct {
	once    sync.Once
	cluster *controlplane.Cluster
	config  *rest.Config
	err     error
}

// Config returns an administrator's access to the cluster. Callers may change their copy.
func Config(t testing.TB) *rest.Config {
	t.Helper()
	if path := os.Getenv("KUBECONFIG"); path != "" {
		config, err := clientcmd.BuildConfigFromFlags("", path)
		if err != nil {
			t.Fatalf("reading the kubeconfig that KUBECONFIG names: %v", err)
		}
		return config
	}
	own.once.Do(start)
	switch {
	case errors.Is(own.err, controlplane.ErrNotBuilt):
		unavailable(t, own.err)
	case own.err != nil:
		t.Fatal(own.err)
	}
	if err := own.cluster.Err(); err != nil {
		t.Fatalf("the control plane has ended: %v", err)
	}
	return rest.CopyConfig(own.config)
}

// unavailable skips a test that lacks the cluster, or fails it where everything has to be there.
func unavailable(t testing.TB, reason error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no cluster: %v", reason)
	}
	t.Skipf("no cluster: %v", reason)
}

func start() {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var progress bytes.Buffer
	own.cluster, own.err = controlplane.Start(ctx, controlplane.Options{Progress: &progress})
	if own.err != nil {
		own.err = fmt.Errorf("%w\n%s", own.err, progress.String())
		return
	}
	own.config, own.err = own.cluster.Config()
}

// Main runs the tests of a package, then stops the control plane they have started and removes
// the controller they have built. It returns the exit code for os.Exit. A test process that is
// killed before stops the control plane too.
func Main(m *testing.M) int {
	code := m.Run()
	if own.cluster != nil {
		if err := own.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the control plane:", err)
			code = max(code, 1)
		}
	}
	if program.dir != "" {
		if err := os.RemoveAll(program.dir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the controller that was built:", err)
			code = max(code, 1)
		}
	}
	return code
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Namespace makes a namespace for one test, named after it, and deletes it when the test ends. It
// waits until pods can be created in it.
func Namespace(t testing.TB) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(Config(t))
	if err != nil {
		t.Fatalf("making a client: %v", err)
	}
	created, err := client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: stem(t.Name())}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	t.Cleanup(func() {
		// Not the test's context, which has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := client.CoreV1().Namespaces().Delete(ctx, created.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("deleting the namespace of the test: %v", err)
		}
	})
	Eventually(t, limit, "the default service account", func() error {
		_, err := client.CoreV1().ServiceAccounts(created.Name).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	return created.Name
}

// stem is the beginning of the name of a test's namespace. It is short because KServe makes one
// host name label, of at most 63 characters, of an InferenceService's name and its namespace.
func stem(test string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(strings.TrimPrefix(test, "Test")), "-"), "-")
	return strings.TrimRight(name[:min(len(name), stemLimit)], "-") + "-"
}

// InstallCRDs installs the project's resource definitions from deploy/crds and waits until they
// are served. Several test processes may do so at once.
func InstallCRDs(t testing.TB, config *rest.Config) {
	t.Helper()
	root, err := controlplane.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := controlplane.InstallCRDs(ctx, config, filepath.Join(root, "deploy", "crds")); err != nil {
		t.Fatal(err)
	}
}

// Eventually calls check until it returns nil, and fails the test with its last error when that
// takes longer than the limit.
func Eventually(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("waited %s in vain for %s: %v", limit, what, err)
		}
	}
}
