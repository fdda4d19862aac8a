package postgres

import (
	"context"
	"errors"

	"github.com/gptmesh/gptmesh/pkg/outbox"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/jackc/pgx/v5"
)

// Write implements store.Store. Where fn does what the usual turn does, it runs on what
// this process has seen, and what it does shares a commit with others' writes. That is
// refused where the session is no more as it was seen, or an id is taken: then, and
// where fn does anything else, it runs in a transaction of its own, whose word counts.
func (s *Store) Write(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d := draft{s: s}
	defer d.leave()
	outbox.Restart(ctx)
	err := fn(ctx, &d)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return err
	case err == nil && d.to != nil && !d.over:
		if err := d.commit(ctx); !refused(err) {
			return known(err)
		}
	}
	return s.transaction(ctx, fn)
}

// refused says that nothing of a call was written, since what it was built on is not so.
func refused(err error) bool {
	return errors.Is(err, postgres.ErrUnchanged) || postgres.IsConstraintViolation(err)
}

// transaction runs fn in a transaction of its own.
func (s *Store) transaction(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	var changed []string
	defer func() {
		for _, id := range changed {
			s.memory.forget(id)
		}
	}()
	return known(s.db.Write(ctx, func(ctx context.Context, t pgx.Tx) error {
		return fn(ctx, &tx{t: t, changed: &changed})
	}))
}

// commit writes what was gathered. Who comes next builds on it before it is committed,
// and is queued behind it.
func (d *draft) commit(ctx context.Context) error {
	list, err := d.statements()
	if err != nil {
		return err
	}
	// The record must stay where the writer runs the call in a transaction of its own.
	queued, err := d.s.db.Queue(outbox.With(ctx, outbox.From(ctx)), list...)
	if err != nil {
		return err
	}
	d.s.memory.wrote(d.entry, d.to, d.add.Messages)
	d.leave()
	if err = queued.Wait(); err != nil {
		d.s.memory.forget(d.to.ID)
	}
	return err
}

// statements are what writes d. Rows of one kind come in this order in every call.
func (d *draft) statements() ([]postgres.Stmt, error) {
	s, q := d.to, &d.s.queries
	list := make([]postgres.Stmt, 0, 1+len(d.add.Messages)+len(d.add.Changes))
	switch {
	case d.from == nil:
		details, err := s.EncodeDetails()
		if err != nil {
			return nil, err
		}
		list = append(list, postgres.Stmt{Query: q.insert, Row: true, Args: []any{
			s.Key, s.ID, s.Owner, s.UserID, s.Title, s.State, details,
			s.CreateTime, s.UpdateTime, s.LastActiveTime, s.IdleTimeout.Microseconds(),
			s.ExpireTime, timeOrNull(s.EndTime), s.Version, s.MessageCount,
			s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest,
		}})
	case store.Moved(d.from, s):
		list = append(list, postgres.Stmt{Query: q.move, Must: true, Args: []any{
			s.UpdateTime, s.LastActiveTime, s.Version, s.MessageCount, s.Key, d.from.Version, d.from.UpdateTime, d.from.MessageCount,
		}})
	default:
		details, err := s.EncodeDetails()
		if err != nil {
			return nil, err
		}
		list = append(list, postgres.Stmt{Query: q.update, Must: true, Args: []any{
			s.UserID, s.Title, s.State, details, s.CreateTime,
			s.UpdateTime, s.LastActiveTime, s.IdleTimeout.Microseconds(), s.ExpireTime,
			timeOrNull(s.EndTime), s.Version, s.MessageCount, s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest,
			s.Key, d.from.Version, d.from.UpdateTime, d.from.MessageCount,
		}})
	}
	for _, m := range d.add.Messages {
		list = append(list, postgres.Stmt{Query: q.message, Row: true, Args: []any{
			s.Key, m.Position, m.ID, m.Role, m.Version, m.CreateTime, m.Tokens, m.Body,
		}})
	}
	for _, c := range d.add.Changes {
		list = append(list, postgres.Stmt{Query: q.change, Row: true, Args: []any{s.Key, c.Version, c.Kind, c.First, c.Last}})
	}
	return list, nil
}
