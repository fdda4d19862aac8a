//go:build darwin || linux

package datadir

import "syscall"

// Room is how many bytes may still be written to the file system of a folder
// without special rights; known is false where it does not say.
func Room(dir string) (bytes uint64, known bool) {
	var at syscall.Statfs_t
	if err := syscall.Statfs(dir, &at); err != nil || at.Blocks == 0 {
		return 0, false
	}
	return at.Bavail * uint64(at.Bsize), true
}
