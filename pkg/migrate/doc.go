// Package migrate brings a store's schema up to date from embedded SQL files.
//
// Migrations are goose files named NNNNN_name.sql with a "-- +goose Up"
// section; each runs in a transaction of its own unless it says
// "-- +goose NO TRANSACTION". They lie at the root of the file system given or
// in its folder "migrations", so that an embed.FS can be passed as it is.
//
// A room normally calls this through sqlite.DB.Migrate and
// postgres.DB.Migrate.
package migrate
