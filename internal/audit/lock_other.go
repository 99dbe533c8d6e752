//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package audit

import (
	"errors"
	"os"
)

// tryLock always fails: without a lock two writers could interleave.
func tryLock(*os.File, bool) (bool, error) {
	return false, errors.ErrUnsupported
}
