package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mlops-platform/mooring/internal/controlplane"
	"github.com/mlops-platform/mooring/test/cluster"
)

// findProgram returns the path of bin/controlplane, or ends the test as lacking it.
func findProgram(t *testing.T) string {
	t.Helper()
	program, err := controlplane.Find()
	switch {
	case errors.Is(err, controlplane.ErrNotBuilt) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return program
}

// startOwn starts a control plane for one test, in a directory of its own.
func startOwn(t *testing.T) (running *controlplane.Cluster, dir string) {
	t.Helper()
	program := findProgram(t)
	dir = t.TempDir()
	var progress bytes.Buffer
	running, err := controlplane.Start(t.Context(), controlplane.Options{Program: program, Dir: dir, WithoutKServe: true, Progress: &progress})
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	t.Cleanup(func() {
		// Tests that end the control plane by force see the error of that themselves.
		_ = running.Stop()
	})
	return running, dir
}

func TestStopLeavesNoProcessAndNoListener(t *testing.T) {
	running, dir := startOwn(t)
	family := familyOf(t, dir)
	if len(family) != 6 { // Itself, etcd, API server, controller manager, scheduler, KWOK.
		t.Errorf("got processes %v, want 6", family)
	}
	address := serverAddress(t, running)
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	assertGone(t, family, address)
}

func TestKilledControlPlaneLeavesNoProcessAndNoListener(t *testing.T) {
	running, dir := startOwn(t)
	family := familyOf(t, dir)
	address := serverAddress(t, running)
	if err := syscall.Kill(parentOf(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-running.Ended()
	assertGone(t, family, address)
}

func TestDeadComponentStopsAllAndIsNamedWithItsLog(t *testing.T) {
	running, dir := startOwn(t)
	family := familyOf(t, dir)
	address := serverAddress(t, running)
	for pid, name := range family {
		if name == "kube-scheduler" {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	<-running.Ended()
	err := running.Err()
	for _, want := range []string{"kube-scheduler", "signal: killed", filepath.Join("logs", "kube-scheduler.log")} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell of %q: %v", want, err)
		}
	}
	assertGone(t, family, address)
}

func TestDownStopsOneThatRunsElsewhereAndASecondOneIsRefused(t *testing.T) {
	running, dir := startOwn(t)
	program := findProgram(t)
	output, err := exec.Command(program, "up", "--dir", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "controlplane down") {
		t.Errorf("a second control plane in the directory was not refused: %v %s", err, output)
	}
	if output, err := exec.Command(program, "down", "--dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	<-running.Ended()
	if err := running.Err(); err != nil {
		t.Errorf("stopped by down, it ended with an error: %v", err)
	}
}

func TestExecReturnsTheCodeOfItsCommandAndForwardsSignals(t *testing.T) {
	command := exec.Command(findProgram(t), "exec", "--without-kserve", "--", "sh", "-c",
		`trap 'exit 7' TERM; test -f "$KUBECONFIG" || exit 3; kill -TERM $PPID; while :; do sleep 0.05; done`)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Fatalf("got %v, want exit code 7\n%s", err, output)
	}
}

func TestDefinitionsAreInstalledByManyAtOnce(t *testing.T) {
	config := cluster.Config(t)
	dir := t.TempDir()
	for _, kind := range []string{"Anchor", "Buoy"} {
		if err := os.WriteFile(filepath.Join(dir, kind+".yaml"), []byte(definition(kind)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := controlplane.InstallCRDs(t.Context(), config, dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func definition(kind string) string {
	plural := strings.ToLower(kind) + "s"
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.test.mlops-platform.com}
spec:
  group: test.mlops-platform.com
  scope: Namespaced
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]s, singular: %[3]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`, kind, plural, strings.ToLower(kind))
}

// parentOf is the process id of the control plane that runs in a directory.
func parentOf(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "controlplane.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// familyOf are the processes of the control plane that runs in a directory, with the names they
// are called by. It reads /proc, so it knows Linux only.
func familyOf(t *testing.T, dir string) map[int]string {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc to count processes in")
	}
	parent := parentOf(t, dir)
	family := map[int]string{parent: nameOf(parent)}
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range statuses {
		status, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // Ended since.
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		family[pid] = nameOf(pid)
	}
	return family
}

// nameOf is the name a process was called by; empty when it has ended.
func nameOf(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(string(content), "\x00")
	return filepath.Base(name)
}

func serverAddress(t *testing.T, running *controlplane.Cluster) string {
	t.Helper()
	config, err := running.Config()
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	return server.Host
}

// assertGone makes sure that the processes end within a moment, and with them the listener. A
// process id that has been given to another program by then has another name.
func assertGone(t *testing.T, family map[int]string, address string) {
	t.Helper()
	cluster.Eventually(t, patience, "the end of all processes", func() error {
		for pid, name := range family {
			if nameOf(pid) == name {
				return fmt.Errorf("process %d (%s) is left", pid, name)
			}
		}
		// A killed process loses its name before its sockets.
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return nil
		}
		return errors.Join(fmt.Errorf("something listens on %s", address), connection.Close())
	})
}
