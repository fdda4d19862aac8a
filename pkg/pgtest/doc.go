// Package pgtest gives tests a real PostgreSQL.
//
// A package's tests share one throw-away cluster, each test has a database of
// its own:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestStore(t *testing.T) {
//		db, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.DB(t)})
//
// The server is the one named by GPTMESH_TEST_DATABASE_URL when that is set,
// else one started from the PostgreSQL binaries of this machine, without
// durability and without a network port. Where there are none a test fails
// and says how to provide one: a store that was never tested must not look
// tested.
//
// To start one server for many packages, run them under pgtestd:
//
//	go run ./pkg/pgtest/cmd/pgtestd -- go test ./...
package pgtest
