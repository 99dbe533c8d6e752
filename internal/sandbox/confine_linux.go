package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// confine bounds what the kernel gives to this process: a single allocation may
// be larger than what watch would notice in time.
func confine(limit time.Duration) error {
	mapped, err := mappedBytes()
	if err != nil {
		return fmt.Errorf("read the size of the process: %w", err)
	}
	for resource, to := range map[int]uint64{
		// Go reserves address space that it does not use.
		syscall.RLIMIT_AS:   mapped + 2*memoryLimit,
		syscall.RLIMIT_CPU:  uint64(limit.Seconds())*2 + 1,
		syscall.RLIMIT_CORE: 0,
	} {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: to, Max: to}); err != nil {
			return fmt.Errorf("bound the process: %w", err)
		}
	}
	return nil
}

// mappedBytes is the address space that the process has reserved.
// https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
func mappedBytes() (uint64, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(statm), " ")
	pages, err := strconv.ParseUint(first, 10, 64)
	return pages * uint64(os.Getpagesize()), err
}
