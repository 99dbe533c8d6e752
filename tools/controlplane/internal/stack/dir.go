package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mlops-platform/mooring/tools/controlplane/internal/supervise"
)

// Directory is where one control plane keeps everything it writes: its data, certificates,
// kubeconfigs and logs. At most one process uses a directory at a time.
type Directory struct {
	Path string
	lock *os.File
}

// The lock file holds the process id of its holder. The lock itself is the kernel's, so a
// killed process leaves no stale one.
const lockName = "controlplane.pid"

// ErrInUse says that another process holds the directory.
var ErrInUse = errors.New("a control plane is running here")

// OpenDirectory makes the directory where needed and takes it for this process.
func OpenDirectory(path string) (*Directory, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the directory %s: %w", path, err)
	}
	if err := os.MkdirAll(absolute, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(absolute, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := take(lock); err != nil {
		pid, _ := holder(lock) // Only for the message; zero when it cannot be read.
		return nil, errors.Join(fmt.Errorf("%s: %w (process %d); stop it with: controlplane down --dir %s", absolute, err, pid, path), lock.Close())
	}
	directory := &Directory{Path: absolute, lock: lock}
	if err := directory.sign(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return directory, nil
}

// sign writes this process's id into the lock.
func (d *Directory) sign() error {
	if err := d.lock.Truncate(0); err != nil {
		return fmt.Errorf("writing the lock: %w", err)
	}
	if _, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("writing the lock: %w", err)
	}
	return nil
}

// Close gives the directory back.
func (d *Directory) Close() error { return d.lock.Close() }

func (d *Directory) join(names ...string) string {
	return filepath.Join(append([]string{d.Path}, names...)...)
}

// StopOther ends the control plane that runs in a directory, if one does, and returns its
// process id once it has stopped, or zero if there was none.
func StopOther(path string, patience time.Duration) (int, error) {
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no control plane was ever started in %s", path)
	}
	if err != nil {
		return 0, fmt.Errorf("opening the lock: %w", err)
	}
	defer lock.Close()
	if take(lock) == nil {
		return 0, nil
	}
	pid, err := holder(lock)
	if err != nil {
		return 0, err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return 0, fmt.Errorf("asking process %d to stop: %w", pid, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if take(lock) == nil {
			return pid, nil
		}
		if time.Now().After(deadline) {
			return pid, fmt.Errorf("process %d has not stopped within %s; see what it prints, or kill it", pid, patience)
		}
	}
}

func take(lock *os.File) error {
	err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	if err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	return nil
}

func holder(lock *os.File) (int, error) {
	content, err := io.ReadAll(io.NewSectionReader(lock, 0, 32))
	if err != nil {
		return 0, fmt.Errorf("reading the lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0, fmt.Errorf("reading the process id from the lock: %w", err)
	}
	return pid, nil
}

// newGroup is the group of this directory's processes.
func (d *Directory) newGroup(onExit func(error)) (*supervise.Group, error) {
	return supervise.NewGroup(d.join("logs"), onExit)
}
