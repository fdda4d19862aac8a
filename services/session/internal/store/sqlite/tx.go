package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// tx implements store.Tx. A database has one writer, so whatever it reads is
// held.
type tx struct{ t *sqlite.Tx }

// Session implements store.Tx.
func (x *tx) Session(ctx context.Context, owner, id string) (*store.Session, error) {
	return scanSession(x.t.QueryRow(ctx, sessionByID, id, owner))
}

// SessionByKey implements store.Tx.
func (x *tx) SessionByKey(ctx context.Context, key int64) (*store.Session, error) {
	return scanSession(x.t.QueryRow(ctx, sessionByKey, key))
}

// MessagesByID implements store.Tx.
func (x *tx) MessagesByID(ctx context.Context, key int64, ids []string) (map[string]*store.Message, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	rows, err := x.t.Query(ctx, messagesByID, key, string(list))
	if err != nil {
		return nil, known(err)
	}
	defer rows.Close()
	messages, err := scanMessages(rows)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*store.Message, len(messages))
	for _, m := range messages {
		found[m.ID] = m
	}
	return found, nil
}

// MessageAt implements store.Tx.
func (x *tx) MessageAt(ctx context.Context, key, position int64) (*store.Message, error) {
	return scanMessage(x.t.QueryRow(ctx, messageAt, key, position))
}

// Insert implements store.Tx.
func (x *tx) Insert(ctx context.Context, s *store.Session, write store.Addition) error {
	details, err := s.EncodeDetails()
	if err != nil {
		return err
	}
	err = x.t.QueryRow(ctx, insertSession, s.ID, s.Owner, s.UserID, s.Title, int64(s.State), details,
		s.CreateTime.UnixMicro(), s.UpdateTime.UnixMicro(), s.LastActiveTime.UnixMicro(), s.IdleTimeout.Microseconds(),
		s.ExpireTime.UnixMicro(), microsOrNull(s.EndTime), s.Version, s.MessageCount,
		s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest).Scan(&s.Key)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrExists
	}
	if err != nil {
		return known(err)
	}
	return x.add(ctx, s.Key, write)
}

// Save implements store.Tx.
func (x *tx) Save(ctx context.Context, s *store.Session, write store.Addition) error {
	details, err := s.EncodeDetails()
	if err != nil {
		return err
	}
	_, err = x.t.Exec(ctx, updateSession, s.UserID, s.Title, int64(s.State), details, s.CreateTime.UnixMicro(),
		s.UpdateTime.UnixMicro(), s.LastActiveTime.UnixMicro(), s.IdleTimeout.Microseconds(), s.ExpireTime.UnixMicro(),
		microsOrNull(s.EndTime), s.Version, s.MessageCount, s.ForkedFromSession, s.ForkedFromMessage, s.RequestDigest, s.Key)
	if err != nil {
		return known(err)
	}
	return x.add(ctx, s.Key, write)
}

func (x *tx) add(ctx context.Context, key int64, write store.Addition) error {
	for _, m := range write.Messages {
		if _, err := x.t.Exec(ctx, insertMessage, key, m.Position, m.ID, int64(m.Role), m.Version,
			m.CreateTime.UnixMicro(), m.Tokens, m.Body); err != nil {
			return known(err)
		}
	}
	for _, c := range write.Changes {
		if _, err := x.t.Exec(ctx, insertChange, key, c.Version, int64(c.Kind), c.First, c.Last); err != nil {
			return known(err)
		}
	}
	return nil
}

// CopyMessages implements store.Tx.
func (x *tx) CopyMessages(ctx context.Context, from, through int64, to *store.Session) error {
	if _, err := x.t.Exec(ctx, copyMessages, to.Key, to.Version, from, through); err != nil {
		return known(err)
	}
	if _, err := x.t.Exec(ctx, copyChanges, int64(store.Appended), to.Key); err != nil {
		return known(err)
	}
	var count, version int64
	if err := x.t.QueryRow(ctx, copied, to.Key).Scan(&count, &version); err != nil {
		return known(err)
	}
	to.MessageCount, to.Version = count, max(to.Version, version)
	_, err := x.t.Exec(ctx, `update sessions set message_count = ?, version = ? where session_key = ?`, to.MessageCount, to.Version, to.Key)
	return known(err)
}

// Delete implements store.Tx.
func (x *tx) Delete(ctx context.Context, s *store.Session, t store.Tombstone) error {
	if _, err := x.t.Exec(ctx, deleteSession, s.Key); err != nil {
		return known(err)
	}
	_, err := x.t.Exec(ctx, insertTombstone, t.Key, t.ID, t.Owner, t.Version, t.DeleteTime.UnixMicro())
	return known(err)
}
