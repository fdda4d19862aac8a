// Package postgres opens one room's schema in a PostgreSQL database: a pool of
// native pgx connections, transactions that are tried again when the server
// asks for it, and migrations.
//
// There are two ways to write. [DB.Write] runs a function in a transaction of its
// own, for what reads before it writes. [DB.Commit] sends statements that are
// known beforehand through a [Writer], which makes one commit and one round trip
// of what concurrent calls bring, of all rooms of the process that are schemas of
// one database.
package postgres
