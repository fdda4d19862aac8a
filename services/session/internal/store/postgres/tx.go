package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/jackc/pgx/v5"
)

// tx implements store.Tx: a session is held by a lock on its row. Errors of
// the driver are wrapped, never replaced, so that the kit sees which ones to
// try again.
type tx struct {
	t       pgx.Tx
	changed *[]string // ids of sessions, added to
}

func (x *tx) note(s *store.Session) { *x.changed = append(*x.changed, s.ID) }

// Session implements store.Tx.
func (x *tx) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	return scanSession(x.t.QueryRow(ctx, sessionByID+" for update", id, owner))
}

// SessionByKey implements store.Tx.
func (x *tx) SessionByKey(ctx context.Context, key int64) (*store.Session, error) {
	return scanSession(x.t.QueryRow(ctx, sessionByKey+" for update", key))
}

// MessagesByID implements store.Tx.
func (x *tx) MessagesByID(ctx context.Context, key int64, ids []string) (map[string]*store.Message, error) {
	rows, err := x.t.Query(ctx, messagesByID, key, ids)
	if err != nil {
		return nil, known(err)
	}
	list, err := pgx.CollectRows(rows, collectMessage)
	if err != nil {
		return nil, known(err)
	}
	return byID(list), nil
}

// MessageAt implements store.Tx.
func (x *tx) MessageAt(ctx context.Context, key, position int64) (*store.Message, error) {
	m, err := scanMessage(x.t.QueryRow(ctx, messageAt, key, position))
	if err != nil {
		return nil, known(err)
	}
	return m, nil
}

// Insert implements store.Tx.
func (x *tx) Insert(ctx context.Context, s *store.Session, write store.Addition) error {
	x.note(s)
	details, err := s.EncodeDetails()
	if err != nil {
		return err
	}
	err = x.t.QueryRow(ctx, insertSession, s.ID, s.Owner, s.UserID, s.Title, s.State, details,
		s.CreateTime, s.UpdateTime, s.LastActiveTime, s.IdleTimeout.Microseconds(),
		s.ExpireTime, timeOrNull(s.EndTime), s.Version, s.MessageCount,
		s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest).Scan(&s.Key)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrExists
	}
	if err != nil {
		return known(err)
	}
	batch := &pgx.Batch{}
	add(batch, s.Key, write)
	return x.send(ctx, batch)
}

// Save implements store.Tx, in one round trip.
func (x *tx) Save(ctx context.Context, s *store.Session, write store.Addition) error {
	x.note(s)
	details, err := s.EncodeDetails()
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(updateSession, s.UserID, s.Title, s.State, details, s.CreateTime,
		s.UpdateTime, s.LastActiveTime, s.IdleTimeout.Microseconds(), s.ExpireTime,
		timeOrNull(s.EndTime), s.Version, s.MessageCount, s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest, s.Key)
	add(batch, s.Key, write)
	return x.send(ctx, batch)
}

func add(batch *pgx.Batch, key int64, write store.Addition) {
	if n := len(write.Messages); n > 0 {
		positions, ids, roles, versions := make([]int64, n), make([]string, n), make([]int16, n), make([]int64, n)
		times, tokens, bodies := make([]time.Time, n), make([]int64, n), make([][]byte, n)
		for i, m := range write.Messages {
			positions[i], ids[i], roles[i], versions[i] = m.Position, m.ID, m.Role, m.Version
			times[i], tokens[i], bodies[i] = m.CreateTime, m.Tokens, m.Body
		}
		batch.Queue(insertMessages, key, positions, ids, roles, versions, times, tokens, bodies)
	}
	for _, c := range write.Changes {
		batch.Queue(insertChange, key, c.Version, c.Kind, c.First, c.Last)
	}
}

func (x *tx) send(ctx context.Context, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return known(x.t.SendBatch(ctx, batch).Close())
}

// CopyMessages implements store.Tx.
func (x *tx) CopyMessages(ctx context.Context, from, through int64, to *store.Session) error {
	batch := &pgx.Batch{}
	batch.Queue(copyMessages, to.Key, to.Version, from, through)
	batch.Queue(copyChanges, store.Appended, to.Key)
	if err := x.send(ctx, batch); err != nil {
		return err
	}
	var count, version int64
	if err := x.t.QueryRow(ctx, copied, to.Key).Scan(&count, &version); err != nil {
		return known(err)
	}
	to.MessageCount, to.Version = count, max(to.Version, version)
	_, err := x.t.Exec(ctx, `update sessions set message_count = $1, version = $2 where session_key = $3`, to.MessageCount, to.Version, to.Key)
	return known(err)
}

// Delete implements store.Tx.
func (x *tx) Delete(ctx context.Context, s *store.Session, t store.Tombstone) error {
	x.note(s)
	batch := &pgx.Batch{}
	batch.Queue(deleteSession, s.Key)
	batch.Queue(insertTombstone, t.Key, t.ID, t.Owner, t.Version, t.DeleteTime)
	return x.send(ctx, batch)
}
