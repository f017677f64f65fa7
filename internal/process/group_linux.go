package process

import "syscall"

// ownGroup protects the process from an interrupt at the terminal, which must stop the load first. The process dies with
// its parent.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
