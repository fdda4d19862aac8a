package journal

import (
	"os"
	"syscall"
)

// flush brings a file's data to the disk.
func flush(f file) error {
	if of, ok := f.(*os.File); ok {
		for {
			err := syscall.Fdatasync(int(of.Fd()))
			if err != syscall.EINTR {
				return err
			}
		}
	}
	return f.(interface{ Sync() error }).Sync()
}
