// Package store keeps what the classifier learns from and what it learnt:
// feedback, training samples, versions of models and the runs that made them.
// It is written in SQL that both databases read alike (numbers, texts and bytes
// alone, placeholders written "?"); what differs is behind Engine, in packages
// sqlite and postgres. The comments of Store are the specification that package
// storetest holds it to on either.
//
// All times have microseconds and are UTC. A head has at most one active version
// and one canary; a head without an active version is answered by the built-in
// one, which is no row. What was active before is remembered in order.
package store

import (
	"context"
	"errors"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("classifier store: not found")
	// ErrExists says that the id is taken by something else.
	ErrExists = errors.New("classifier store: id exists")
	// ErrBusy says that a training runs.
	ErrBusy = errors.New("classifier store: a training runs")
	// ErrNoPrevious says that no version was active before the present one.
	ErrNoPrevious = errors.New("classifier store: no previous version")
	// ErrUnavailable says that the store cannot serve now: locked, full, out of
	// reach or closed. It wraps the driver's error.
	ErrUnavailable = errors.New("classifier store: unavailable")
)

// Sample is a training sample and who brought it.
type Sample struct {
	Owner string
	*classifierv1.TrainingSample
}

// SampleQuery selects samples.
type SampleQuery struct {
	// Owner, Head and SourceID keep those that have them; empty means all.
	Owner, Head, SourceID string
	// Before keeps those that come after this one in the order of the list: its
	// time and id. Nil means all.
	Before *classifierv1.TrainingSample
	// Limit is the most to return.
	Limit int
}

// HeadCount is how many samples and feedbacks a head has.
type HeadCount struct {
	Head     string
	Samples  int64
	Feedback int64
	// Labels is how many samples each label has, by label.
	Labels []*classifierv1.LabelCount
}

// VersionQuery selects versions.
type VersionQuery struct {
	// Head keeps those of one head; empty means all.
	Head string
	// AfterHead and AfterNumber keep those that come after this place; an empty
	// AfterHead means all.
	AfterHead   string
	AfterNumber int64
	// Limit is the most to return.
	Limit int
}

// Rows are the rows of a query.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// Reader reads.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (Rows, error)
}

// Tx reads and writes in a transaction.
type Tx interface {
	Reader
	// Exec returns how many rows it changed.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
}

// Engine is a database.
type Engine interface {
	Reader
	// Write runs fn in a transaction; fn may run again.
	Write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
	// Known gives the driver's errors the names of package
	Known(err error) error
	// Ping says whether the database can serve.
	Ping(ctx context.Context) error
}

// Store keeps it over an engine. It is safe for concurrent use. Errors are those
// above, an error of the context, or unexpected. What a call returns may be
// changed.
type Store struct{ db Engine }

// New returns a store over db, which must have the migrations.
func New(db Engine) *Store { return &Store{db: db} }

// Ping says whether the store can serve.
func (s *Store) Ping(ctx context.Context) error { return s.db.Known(s.db.Ping(ctx)) }

// write runs fn in a transaction.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	return s.db.Known(s.db.Write(ctx, fn))
}

// one scans the only row of a query; ErrNotFound where there is none.
func one(ctx context.Context, r Reader, query string, args []any, dest ...any) error {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return ErrNotFound
	}
	return rows.Scan(dest...)
}

// all scans every row of a query.
func all[T any](ctx context.Context, r Reader, query string, args []any, scan func(Rows) (T, error)) ([]T, error) {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func micros(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMicro()
}

func stamp(micros int64) *timestamppb.Timestamp {
	if micros == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMicro(micros).UTC())
}

func encode(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func missing(err error) bool { return errors.Is(err, ErrNotFound) }
