//go:build unix

package edge

import (
	"math"
	"syscall"
)

// files is how many files this process may open; 0 where there is no limit.
func files() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
