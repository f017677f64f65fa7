package process

import "syscall"

// ownGroup keeps an interrupt at the terminal from ending a process before the load that is on it. It dies with this one,
// however that ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
