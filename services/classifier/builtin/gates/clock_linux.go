package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what the current thread has used. Unlike the time of day it
// does not run while others have the processor.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
