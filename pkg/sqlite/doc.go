// Package sqlite opens an embedded SQLite database for one process: many
// readers, one writer, and commits shared by concurrent writers.
//
// The database runs in WAL mode with a flush at each commit, so what Write
// acknowledged survives a kill of the process and a loss of power. Concurrent
// calls of [DB.Write] share that flush; see package groupcommit.
//
// On Linux the files are reached by a VFS that gathers the writes of SQLite's log;
// see docs/adr/0032.
//
// One process at a time should own the file; package datadir sees to that.
package sqlite
