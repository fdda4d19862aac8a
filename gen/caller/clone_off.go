//go:build !meshclone

package caller

func cloned[T any](m *T) *T { return m }

func wipe[T any](*T) {}
