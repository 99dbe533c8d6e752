package audit

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestAVolumeThatTakesNoLogIsToldWithWhatToDo(t *testing.T) {
	for cause, want := range map[error]string{
		syscall.ENOSPC: "enlarge the volume",
		syscall.EROFS:  "read-only: look at how it is mounted",
		syscall.EACCES: "user that the controller runs as",
		syscall.EIO:    "",
	} {
		err := remedied(fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "audit.jsonl", Err: cause}))
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), want) || want == "" && strings.Contains(err.Error(), ";") {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if remedied(nil) != nil {
		t.Error("nothing failed")
	}
}
