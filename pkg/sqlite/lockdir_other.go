//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqlite

import "context"

// lockDir does nothing where there is no flock: the data directory's lock has
// already kept other processes out, or refused to start.
func lockDir(context.Context, string) (unlock func() error, err error) {
	return func() error { return nil }, nil
}
