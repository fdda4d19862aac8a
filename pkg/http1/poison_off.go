//go:build !meshclone && !race

package http1

// poison spoils memory that was lent, in test builds.
func poison([]byte) {}
