package supervise

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// tailBytes bounds how much of a log is read to find its last lines.
const tailBytes = 16 << 10

// Tail returns the last lines of a file, without the newline at the end.
func Tail(path string, lines int) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the end of a log: %w", err)
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return "", fmt.Errorf("reading the end of %s: %w", path, err)
	}
	end := io.NewSectionReader(file, max(0, size-tailBytes), tailBytes)
	content, err := io.ReadAll(end)
	if err != nil {
		return "", fmt.Errorf("reading the end of %s: %w", path, err)
	}
	all := bytes.Split(bytes.TrimRight(content, "\n"), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))), nil
}
