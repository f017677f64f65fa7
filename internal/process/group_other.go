//go:build !linux

package process

import "syscall"

// ownGroup would keep an interrupt at the terminal from ending a process before the load that is on it, where that is the
// same on all systems.
func ownGroup() *syscall.SysProcAttr { return nil }
