package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// sendSize is how much of a sentence is gathered before it is sent: the driver's
// buffer grows with it, and is new each time.
const sendSize = 16 << 10

// keptRoom is how much memory for arguments is kept from one statement to the next:
// that of one whose arguments are lists of many long values.
const keptRoom = 512 << 10

// What send says where no single statement failed.
const (
	notRun  = -1 // nothing was run: a statement cannot be prepared, or its arguments not packed
	unknown = -2 // the connection or the commit failed
)

// send runs a sentence as one transaction. Where it fails it says which statement
// the server did not take, or notRun, or unknown.
func (w *Writer) send(ctx context.Context, s *sentence) (failed int, err error) {
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return unknown, err
	}
	defer conn.Release()
	if conn.Conn().Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		return w.pipe(ctx, conn.Conn(), s)
	}
	var batch pgx.Batch
	for _, p := range s.parts {
		batch.Queue(p.query, p.args...)
	}
	results := conn.SendBatch(ctx, &batch)
	for i := range s.parts {
		if _, err = results.Exec(); err != nil {
			failed = where(ctx, i, err)
			break
		}
	}
	if closed := results.Close(); err == nil && closed != nil { // the commit's
		failed, err = unknown, closed
	}
	return failed, err
}

// where says what an error of a statement means.
func where(ctx context.Context, statement int, err error) (failed int) {
	if server, ok := err.(*pgconn.PgError); ok && server != nil { // not wrapped: of this statement
		return statement
	}
	if !IsUnavailable(err) && ctx.Err() == nil {
		return notRun
	}
	return unknown
}

// pipe is send as pgx would do it by a batch, without copying large arguments to and
// fro.
func (w *Writer) pipe(ctx context.Context, conn *pgx.Conn, s *sentence) (failed int, err error) {
	prepared := w.prepared[:0]
	for _, p := range s.parts {
		description, err := conn.Prepare(ctx, p.query, p.query)
		if err != nil {
			return where(ctx, notRun, err), err
		}
		prepared = append(prepared, description)
	}
	w.prepared = prepared
	pipeline := conn.PgConn().StartPipeline(ctx)
	defer func() {
		if closed := pipeline.Close(); err == nil && closed != nil {
			failed, err = unknown, closed
		}
	}()
	size := 0
	for i, p := range s.parts {
		if err := w.packed.pack(conn.TypeMap(), prepared[i], p.args); err != nil {
			return notRun, err
		}
		pipeline.SendQueryStatement(prepared[i], w.packed.values, w.packed.formats, nil)
		for _, value := range w.packed.values {
			size += len(value)
		}
		if size >= sendSize && i < len(s.parts)-1 {
			size = 0
			if err := pipeline.Flush(); err != nil {
				return unknown, err
			}
		}
	}
	if err := pipeline.Sync(); err != nil {
		return unknown, err
	}
	for i := range s.parts {
		if err := next(pipeline); err != nil {
			return where(ctx, i, err), err
		}
	}
	if _, err := pipeline.GetResults(); err != nil { // the commit's
		return unknown, err
	}
	return 0, nil
}

// next reads what became of the next statement.
func next(pipeline *pgconn.Pipeline) error {
	results, err := pipeline.GetResults()
	if err != nil {
		return err
	}
	reader, ok := results.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("postgres: got %T for a statement", results)
	}
	_, err = reader.Close()
	return err
}

// packed are the arguments of a statement as they are sent, until the next are.
type packed struct {
	values  [][]byte
	formats []int16
	room    []byte
}

func (a *packed) pack(types *pgtype.Map, statement *pgconn.StatementDescription, args []any) error {
	a.values, a.formats, a.room = a.values[:0], a.formats[:0], a.room[:0]
	if cap(a.room) > keptRoom {
		a.room = nil
	}
	if len(args) != len(statement.ParamOIDs) {
		return fmt.Errorf("postgres: %d arguments for %d: %s", len(args), len(statement.ParamOIDs), statement.SQL)
	}
	for i, arg := range args {
		kind := statement.ParamOIDs[i]
		if raw, ok := arg.([]byte); ok && kind == pgtype.ByteaOID {
			a.values, a.formats = append(a.values, raw), append(a.formats, pgtype.BinaryFormatCode)
			continue
		}
		format := types.FormatCodeForOID(kind)
		if _, text := arg.(string); text {
			format = pgtype.TextFormatCode
		}
		start := len(a.room)
		packed, err := types.Encode(kind, format, arg, a.room)
		if err != nil {
			return fmt.Errorf("postgres: argument %d: %w: %s", i+1, err, statement.SQL)
		}
		var value []byte // null
		if packed != nil {
			a.room, value = packed, packed[start:]
		}
		a.values, a.formats = append(a.values, value), append(a.formats, format)
	}
	return nil
}
