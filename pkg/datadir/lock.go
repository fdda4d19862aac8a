package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LockFile is the name of the lock within a data directory. It stays there
// when the lock is released.
const LockFile = "LOCK"

// CheckWrites says why a folder whose lock is held takes no writes, or nil. It writes
// nothing.
func CheckWrites(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, LockFile), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return file.Close()
}

// errHeld is what flock reports while another holder exists.
var errHeld = errors.New("held")

// HeldError says that another process owns the directory.
type HeldError struct {
	// Dir is the directory, absolute.
	Dir string
	// PID is the process that holds it; zero when it has not told yet.
	PID int
	// Since is when it took the lock; zero when it has not told yet.
	Since time.Time
}

// Error tells who holds the directory and what to do.
func (e *HeldError) Error() string {
	who := "another process"
	if e.PID > 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if !e.Since.IsZero() {
		who += " since " + e.Since.Format(time.RFC3339)
	}
	return fmt.Sprintf("data directory %s is in use by %s: stop that process or choose another data directory", e.Dir, who)
}

// Lock is a held data directory.
type Lock struct {
	dir  string
	file *os.File
	once sync.Once
	err  error
}

// Acquire creates dir and its parents when missing, readable by the owner
// alone, and takes its lock without waiting. A [HeldError] means that another
// process, or another part of this one, has it. The directory is locked until
// Release or the end of the process.
func Acquire(dir string) (*Lock, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, LockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := flock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errHeld) {
			return nil, holder(dir, file)
		}
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	text := fmt.Sprintf("%d %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	if err := write(file, text); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return &Lock{dir: dir, file: file}, nil
}

// Dir returns the directory, absolute.
func (l *Lock) Dir() string { return l.dir }

// Release gives the directory up. It may be called more than once.
func (l *Lock) Release() error {
	l.once.Do(func() {
		// The file stays: removing it would let two processes lock two files
		// of the same name.
		// Unlocking comes before closing: a child that is being started may hold
		// a copy of the file for a moment, and with it the lock.
		l.err = errors.Join(l.file.Truncate(0), unlock(l.file), l.file.Close())
	})
	return l.err
}

func write(file *os.File, text string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// holder reads who holds the lock. The holder may be about to write it, so a
// missing or odd text is no error.
func holder(dir string, file *os.File) *HeldError {
	held := &HeldError{Dir: dir}
	text, err := io.ReadAll(io.LimitReader(file, 256))
	if err != nil {
		return held
	}
	pid, since, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if n, err := strconv.Atoi(pid); err == nil && n > 0 {
		held.PID = n
	}
	if at, err := time.Parse(time.RFC3339, since); err == nil {
		held.Since = at
	}
	return held
}
