package cli

import (
	"os"
	"syscall"
)

func maxRSS(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	const kilobyte = 1024
	return usage.Maxrss * kilobyte
}
