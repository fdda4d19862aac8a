//go:build !(darwin || linux)

package datadir

// Room is how many bytes may still be written to the file system of a folder
// without special rights; known is false where it does not say.
func Room(string) (bytes uint64, known bool) { return 0, false }
