// Package groupcommit lets many callers share one transaction's commit.
//
// A store whose commit costs a disk flush serves few writers when each pays
// for its own. A [Committer] owns one goroutine that takes whatever calls are
// queued, runs them one after the other in one transaction and commits once.
// There is no timer: a lone call commits at once, and a batch grows only from
// calls that arrive while the batch runs.
//
// Each call stands alone: the one that fails is undone by itself and the rest
// of the batch is kept. A call is answered with nil only after the commit, so
// what was acknowledged is committed.
//
// The package knows no database; an [Engine] does the work.
package groupcommit
