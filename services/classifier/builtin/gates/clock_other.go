//go:build !linux

package main

import "time"

var start = time.Now()

// processorTime is the time of day, where the system has no better clock.
func processorTime() time.Duration { return time.Since(start) }
