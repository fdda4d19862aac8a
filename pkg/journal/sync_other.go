//go:build !linux

package journal

// flusher brings data to the disk.
type flusher struct{}

func newFlusher() *flusher { return &flusher{} }

func (*flusher) close() {}

// flush brings a file's data to the disk.
func (*flusher) flush(f file) error { return f.(interface{ Sync() error }).Sync() }
