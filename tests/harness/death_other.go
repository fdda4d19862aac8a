//go:build !linux

package harness

import "syscall"

// attributes does nothing: only Linux can tell a process of its parent's end.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
