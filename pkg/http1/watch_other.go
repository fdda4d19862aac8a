//go:build !linux

package http1

import "errors"

// watch cannot be had here: net/http serves all connections.
type watch struct{}

func newWatch() *watch { return nil }

func (*watch) add(*conn, int) error { return errors.ErrUnsupported }

func (*watch) remove(*conn) {}

func (*watch) close() {}

func cut(uintptr) {}
