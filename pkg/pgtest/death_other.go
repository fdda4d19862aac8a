//go:build unix && !linux

package pgtest

import "syscall"

// dieWithParent does nothing: only Linux can tell a process of its parent's
// end. After a killed test the server has to be stopped by hand.
func dieWithParent(*syscall.SysProcAttr) {}
