//go:build !unix

package socket

import "errors"

// Receive is not supported here.
func Receive(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }

// Send is not supported here.
func Send(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }
