// Package chaos kills things under load and counts what was lost.
//
// A mesh of one process per room on PostgreSQL answers turns of a scripted
// provider that misbehaves. Between every pair of rooms, and before the
// database, stands a fault proxy. While many clients ask, processes are killed
// with SIGKILL at random, connections are reset, slowed, and cut, and the
// database crashes and comes back. Each client holds on to its idempotency key until
// it has an end. Afterwards the checker compares what the clients were told with what
// requests, answers, sessions, the ledger and the provider itself say.
//
// `go test` runs the short form; `make chaos` the long one. -chaos.seed repeats
// the choices of a run, as far as the machine lets it.
package chaos
