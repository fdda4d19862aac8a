package sqlite

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// A batch is pieces of many answers, one behind the other, as one value: thousands of
// answers may run, each with a piece ten times a second, and a value of its own for
// each member of each piece would be most of the garbage of such a process. A piece has
// the sizes of its id and frames and its sequences in digits, which SQL can read, and then
// the id and the frames.
const (
	idDigits, sequenceDigits, sizeDigits = 3, 10, 9

	firstAt   = idDigits
	lastAt    = firstAt + sequenceDigits
	sizeAt    = lastAt + sequenceDigits
	pieceHead = sizeAt + sizeDigits
)

// batchSQL stores the pieces of a batch whose answers run.
var batchSQL = fmt.Sprintf(`with recursive piece (at, named, size) as (
		select 1, %[1]s, %[2]s where length(?1) > 0
		union all
		select at + named + size + %[3]d, %[4]s, %[5]s from piece where at + named + size + %[3]d <= length(?1)
	), pieces (id, first, last, frames) as (
		select cast(substr(?1, at + %[3]d, named) as text), %[6]s, %[7]s, substr(?1, at + %[3]d + named, size) from piece
	)
	insert into response_journal (response_id, first_sequence, last_sequence, frames)
	select id, first, last, frames from pieces where exists (select 1 from responses where responses.id = pieces.id and state = 1)
	on conflict do update set last_sequence = excluded.last_sequence, frames = excluded.frames`,
	digits("1", idDigits), digits(fmt.Sprint(1+sizeAt), sizeDigits), pieceHead,
	digits(fmt.Sprintf("at + named + size + %d", pieceHead), idDigits), digits(fmt.Sprintf("at + named + size + %d", pieceHead+sizeAt), sizeDigits),
	digits(fmt.Sprintf("at + %d", firstAt), sequenceDigits), digits(fmt.Sprintf("at + %d", lastAt), sequenceDigits))

// digits is the number that stands somewhere in a batch.
func digits(at string, width int) string {
	return fmt.Sprintf("cast(cast(substr(?1, %s, %d) as text) as integer)", at, width)
}

// appendBatch appends a piece.
func appendBatch(dst []byte, p store.Piece) []byte {
	start := len(dst)
	dst = append(slices.Grow(dst, pieceHead+len(p.ResponseID))[:start+pieceHead], p.ResponseID...)
	begun := len(dst)
	dst = appendPiece(dst, p.Frames)
	head := dst[start : start+pieceHead]
	putDigits(head[:firstAt], int64(len(p.ResponseID)))
	putDigits(head[firstAt:lastAt], p.First)
	putDigits(head[lastAt:sizeAt], p.Last)
	putDigits(head[sizeAt:], int64(len(dst)-begun))
	return dst
}

// putDigits fills to with the last digits of n.
func putDigits(to []byte, n int64) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i], n = byte('0'+n%10), n/10
	}
}

// mostBatch is the size from which another batch is begun.
const mostBatch = 256 << 10

// unstored makes the statements that store what running answers have brought.
func (s *Store) unstored() (list []sqlite.Stmt, done func(stored bool)) {
	buffer := scratch.Get().(*[]byte)
	defer giveBack(buffer)
	batch := (*buffer)[:0]
	cut := func() {
		list, batch = append(list, sqlite.Stmt{Query: batchSQL, Args: []any{bytes.Clone(batch)}}), batch[:0]
	}
	done = s.running(func(p store.Piece) {
		if batch = appendBatch(batch, p); len(batch) >= mostBatch {
			cut()
		}
	})
	if len(batch) > 0 {
		cut()
	}
	*buffer = batch
	return list, done
}
