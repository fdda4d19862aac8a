package sqlite

import (
	"database/sql"
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

// scanner is a row of the reader or of a transaction.
type scanner interface{ Scan(dest ...any) error }

// rowsScanner is rows of either.
type rowsScanner interface {
	scanner
	Next() bool
	Err() error
}

func scanSession(row scanner) (*store.Session, error) {
	s := &store.Session{}
	var details []byte
	var created, updated, used, idle, expires int64
	var ended sql.NullInt64
	err := row.Scan(&s.Key, &s.ID, &s.Owner, &s.UserID, &s.Title, &s.State, &details, &created, &updated,
		&used, &idle, &expires, &ended, &s.Version, &s.MessageCount,
		&s.ForkedFromSession, &s.ForkedFromMessage, &s.RequestDigest)
	if err != nil {
		return nil, known(err)
	}
	s.CreateTime, s.UpdateTime, s.LastActiveTime = fromMicros(created), fromMicros(updated), fromMicros(used)
	s.IdleTimeout, s.ExpireTime = time.Duration(idle)*time.Microsecond, fromMicros(expires)
	if ended.Valid {
		s.EndTime = fromMicros(ended.Int64)
	}
	return s, s.DecodeDetails(details)
}

func scanMessage(row scanner) (*store.Message, error) {
	m := &store.Message{}
	var created int64
	if err := row.Scan(&m.Position, &m.ID, &m.Role, &m.Version, &created, &m.Tokens, &m.Body); err != nil {
		return nil, known(err)
	}
	m.CreateTime = fromMicros(created)
	return m, nil
}

func scanMessages(rows rowsScanner) ([]*store.Message, error) {
	var list []*store.Message
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, known(rows.Err())
}

func scanTombstone(row scanner) (store.Tombstone, error) {
	var t store.Tombstone
	var deleted int64
	if err := row.Scan(&t.Key, &t.ID, &t.Owner, &t.Version, &deleted); err != nil {
		return store.Tombstone{}, known(err)
	}
	t.DeleteTime = fromMicros(deleted)
	return t, nil
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func microsOrNull(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: true}
}
