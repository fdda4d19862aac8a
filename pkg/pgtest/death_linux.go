package pgtest

import "syscall"

// dieWithParent has the server stop at once when this process ends, however it
// ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
