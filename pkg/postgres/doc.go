// Package postgres opens one room's schema in a PostgreSQL database: a pool of
// native pgx connections, transactions that are tried again when the server
// asks for it, and migrations.
//
// The server shares commits between concurrent transactions by itself, so
// there is no group commit here.
package postgres
