//go:build !linux

package sandbox

import "time"

// confine leaves the bounds to watch.
func confine(time.Duration) error { return nil }
