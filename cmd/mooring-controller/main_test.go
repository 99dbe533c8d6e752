package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asProgram makes the test binary the program itself: flags and exit codes are
// what its user sees.
const asProgram = "MOORING_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs the controller where there is no cluster.
func program(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = []string{asProgram + "=yes", "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

func TestAWordThatIsNoFlagStopsTheStart(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"a value of a switch": {
			[]string{"--leader-elect", "true", "--log-level", "loud"}, 2,
			`"true" is no flag, and flags after it would not be read; --leader-elect needs no value: leave "true" out, or write --leader-elect=true`,
		},
		"a value of a switch with one dash":                 {[]string{"-leader-elect", "false"}, 2, "write --leader-elect=false"},
		"a word at the front":                               {[]string{"run", "--version"}, 2, `"run" is no flag, and flags after it would not be read; leave it out`},
		"a word after a value":                              {[]string{"--namespace", "a", "b"}, 2, `"b" is no flag`},
		"a word after a value that is called like a switch": {[]string{"--namespace", "leader-elect", "b"}, 2, "leave it out"},
		"a word after the end of flags":                     {[]string{"--version", "--", "x"}, 2, `"x" is no flag`},
		"a switch with its value":                           {[]string{"--leader-elect=true", "--version"}, 0, "mooring-controller dev"},
		"an unknown flag":                                   {[]string{"--leader"}, 2, "-leader"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := program(t, tc.args...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

func TestWithoutAClusterItSaysHowToNameOne(t *testing.T) {
	dir := t.TempDir()
	out, code := program(t, "--audit-file", filepath.Join(dir, "audit.jsonl"), "--mirror-dir", dir)
	if code != 1 || !strings.Contains(out, "set KUBECONFIG, or give --kubeconfig FILE") || strings.Contains(out, "KUBERNETES_MASTER") {
		t.Errorf("exit %d: %s", code, out)
	}
}
