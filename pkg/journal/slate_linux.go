package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errPlace says that a file system does not write over what a file has where it stands.
// On such a one memory may find no place when it is written to, which ends the process.
var errPlace = errors.New("journal: the file system gives no place that lasts")

func openSlate(path string) (*slate, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the memory stays
	var info unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &info); err != nil {
		return nil, err
	}
	switch info.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
	default:
		return nil, errPlace
	}
	if err := fill(f, slateSize); err != nil {
		return nil, err
	}
	room, err := unix.Mmap(int(f.Fd()), 0, slateSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	_ = unix.Mlock(room) // so that it need not be read back, where the system allows that
	return &slate{room}, nil
}

func (s *slate) close() error { return unix.Munmap(s.room) }
