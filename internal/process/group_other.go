//go:build !linux

package process

import "syscall"

// ownGroup does nothing: process groups differ between the other systems.
func ownGroup() *syscall.SysProcAttr { return nil }
