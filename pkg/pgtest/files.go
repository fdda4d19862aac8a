package pgtest

import (
	"os"
	"path/filepath"
	"time"

	"github.com/gptmesh/gptmesh/pkg/datadir"
)

const (
	dirPrefix = "gptmesh-pgtest-"
	// sweepAge keeps a sweep off a folder that is just being made.
	sweepAge = time.Minute
	// maxSocketDir keeps the socket's path within the 103 bytes that all
	// systems allow.
	maxSocketDir = 50
)

// tempDir is where clusters live. As root it must be open to the server's
// user, which the temporary directory of root may not be.
func tempDir() string {
	if dir := os.TempDir(); os.Geteuid() != 0 && len(dir) <= maxSocketDir {
		return dir
	}
	return "/tmp"
}

// sweep removes the folders of clusters whose owner was killed.
func sweep() {
	found, _ := filepath.Glob(filepath.Join(tempDir(), dirPrefix+"*"))
	for _, dir := range found {
		info, err := os.Stat(filepath.Join(dir, datadir.LockFile))
		if err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		lock, err := datadir.Acquire(dir)
		if err != nil {
			continue // in use, or another user's
		}
		_ = os.RemoveAll(dir)
		_ = lock.Release()
	}
}
