//go:build !linux

package journal

// flush brings a file's data to the disk.
func flush(f file) error { return f.(interface{ Sync() error }).Sync() }
