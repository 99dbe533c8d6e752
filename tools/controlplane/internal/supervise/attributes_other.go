//go:build !linux

package supervise

import "syscall"

// childAttributes cannot ask for the end of the child with its parent where the kernel is not
// Linux. There, `controlplane down` is the way out after the program was killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
