// Package datadir makes sure that one process at a time owns a data directory.
//
// Embedded stores keep counters, caches and a single writer in memory, which
// is only right while no other process writes the same files. The lock is a
// flock on a file in the directory: it ends with the process, however that
// ends, so there is never a stale lock to remove.
package datadir
