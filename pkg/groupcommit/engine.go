package groupcommit

// Engine runs transactions for a [Committer]. All methods are called from one
// goroutine at a time and never while a transaction of the same Committer is
// in an unexpected state: Begin with none open, the others with one open.
//
// T is what a call works with, such as a transaction handle.
type Engine[T any] interface {
	// Begin opens a transaction.
	Begin() (T, error)
	// Commit makes the transaction durable. After an error nothing of the
	// transaction may remain open or be kept; Rollback is not called.
	Commit(T) error
	// Rollback drops the transaction, whatever its state.
	Rollback(T)
	// Savepoint marks a place to which RollbackTo can return. At most one
	// savepoint is set at a time.
	Savepoint(T) error
	// Release forgets the savepoint and keeps what was done since.
	Release(T) error
	// RollbackTo undoes what was done since the savepoint and forgets it.
	RollbackTo(T) error
}
