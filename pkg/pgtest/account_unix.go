//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that the server runs as.
type account struct{ uid, gid int }

// serverUser returns nil when the server can run as this user.
func serverUser() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &account{uid: int(uid), gid: int(gid)}, nil
	}
	return nil, errors.New("pgtest: PostgreSQL does not run as root and there is neither a user postgres nor nobody")
}

// attributes puts the process in a group of its own, so that an interrupt from
// the terminal ends the tests before their server.
func attributes(as *account, mortal bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	if mortal {
		dieWithParent(attr)
	}
	return attr
}
