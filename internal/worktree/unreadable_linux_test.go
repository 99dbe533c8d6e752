package worktree

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/mlops-platform/mooring/schemas"
)

// nobody is a user that owns nothing.
const nobody = 65534

func TestAFileThatMayNotBeReadIsRefusedAndStopsNoOther(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, schemas.GovernancePath)
	if err := os.WriteFile(path, []byte("a: b\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "teams"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "teams", "a.yaml"), []byte("a: b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := readAsNobody(t, dir)
	if len(files) != 2 || files[0].Refused == "" || files[1].Refused != "" {
		t.Errorf("%+v", files)
	}
}

// readAsNobody reads as a user without rights where the test runs as root, who
// may read everything. The change is of this thread alone, which ends with it.
func readAsNobody(t *testing.T, dir string) []schemas.File {
	t.Helper()
	type result struct {
		files []schemas.File
		err   error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is not used again
		var r result
		if os.Geteuid() == 0 {
			r.err = syscall.Setfsuid(nobody)
		}
		if r.err == nil {
			r.files, r.err = Read(dir)
		}
		done <- r
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.files
}
