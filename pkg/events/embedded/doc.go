// Package embedded is the broker that needs no server: it delivers events from
// the log where it lies, in the outboxes that rooms write into.
//
// On SQLite every room's outbox is a log of its own, numbered in the order of
// its commits, and nothing is copied: an event costs its share of one row per
// commit. On PostgreSQL a mover takes what was committed out of the outboxes of
// its process's rooms and into one log of the database, under a lock, so that
// the log's numbers are in the order in which they can be seen.
//
// The log is kept for Config.Retention, and for as long as a consumer has not
// come by, up to Config.MaxRetention.
package embedded
