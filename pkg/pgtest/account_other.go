//go:build !unix

package pgtest

import (
	"errors"
	"syscall"
)

type account struct{ uid, gid int }

func serverUser() (*account, error) {
	return nil, errors.New("pgtest: servers are started on Unix systems only: set " + EnvURL)
}

func attributes(*account, bool) *syscall.SysProcAttr { return nil }
