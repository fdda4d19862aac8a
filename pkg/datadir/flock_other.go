//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package datadir

import (
	"errors"
	"os"
	"runtime"
)

func flock(*os.File) error {
	return errors.New("file locks are not supported on " + runtime.GOOS + ": embedded stores need a Unix system, use PostgreSQL instead")
}

func unlock(*os.File) error { return nil }
