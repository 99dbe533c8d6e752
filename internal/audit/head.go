package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// headFile keeps the last acknowledged head beside the log.
//
// It is one line of fixed width, overwritten in place by one small write within a disk sector, so a
// crash leaves the old line or the new one. It is written after the log is durable and not synced
// on every append: after a power loss it may lag behind the log, it is never ahead of it.
type headFile struct{ f *os.File }

func headPath(path string) string { return path + ".head" }

func headLine(h Head) []byte {
	if h.Seq == 0 {
		h.Hash = genesis
	}
	return fmt.Appendf(nil, "%020d:%s\n", h.Seq, h.Hash)
}

// readHead reads the head file of the log at path. The error is ErrHeadMissing when there is none.
func readHead(path string) (Head, error) {
	name := headPath(path)
	text, err := readStable(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Head{}, fmt.Errorf("%w: %s", ErrHeadMissing, name)
	}
	if err != nil {
		return Head{}, fmt.Errorf("read head file: %w", err)
	}
	h, err := ParseHead(strings.TrimSuffix(string(text), "\n"))
	if err != nil {
		return Head{}, fmt.Errorf("head file %s is damaged: %w: verify the log against a head known from elsewhere, "+
			"then remove the file and open the log with that head", name, err)
	}
	return h, nil
}

// readStable reads until two reads agree: a reader beside the writer could otherwise see half of an
// overwrite.
func readStable(name string) ([]byte, error) {
	last, err := os.ReadFile(name)
	for range 100 {
		if err != nil {
			return nil, err
		}
		var text []byte
		if text, err = os.ReadFile(name); err == nil && bytes.Equal(text, last) {
			return text, nil
		}
		last = text
	}
	return last, err
}

// createHead puts a head file in place in one step, so that it is never seen empty, and opens it.
func createHead(path string, h Head) (*headFile, error) {
	if err := writeDurably(headPath(path), headLine(h)); err != nil {
		return nil, fmt.Errorf("create head file: %w", err)
	}
	f, err := os.OpenFile(headPath(path), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open head file: %w", err)
	}
	return &headFile{f: f}, nil
}

func (h *headFile) set(head Head) error {
	if _, err := h.f.WriteAt(headLine(head), 0); err != nil {
		return fmt.Errorf("write head file: %w", err)
	}
	return nil
}

func (h *headFile) close() error {
	return errors.Join(h.f.Sync(), h.f.Close())
}

// writeDurably writes a new file by way of a temporary one; after it, the file is complete or absent
// even when the power fails.
func writeDurably(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, werr := f.Write(content)
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
