//go:build meshclone

package caller

import "google.golang.org/protobuf/proto"

func cloned[T any](m *T) *T {
	if m == nil {
		return nil
	}
	if p, ok := any(m).(proto.Message); ok {
		return any(proto.Clone(p)).(*T)
	}
	return m
}

// wipe makes a message that somebody kept beyond its sink plainly wrong.
func wipe[T any](m *T) {
	if p, ok := any(m).(proto.Message); ok {
		proto.Reset(p)
	}
}
