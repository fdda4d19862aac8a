//go:build !linux

package journal

import "errors"

func openSlate(string) (*slate, error) { return nil, errors.ErrUnsupported }

func (s *slate) close() error { return nil }
