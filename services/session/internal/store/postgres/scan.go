package postgres

import (
	"time"

	"github.com/gptmesh/gptmesh/services/session/internal/store"
	"github.com/jackc/pgx/v5"
)

// scanner is one row.
type scanner interface{ Scan(dest ...any) error }

func scanSession(row scanner) (*store.Session, error) {
	s := &store.Session{}
	var details []byte
	var idle int64
	var ended *time.Time
	err := row.Scan(&s.Key, &s.ID, &s.Owner, &s.UserID, &s.Title, &s.State, &details, &s.CreateTime, &s.UpdateTime,
		&s.LastActiveTime, &idle, &s.ExpireTime, &ended, &s.Version, &s.MessageCount,
		&s.ForkedFromSession, &s.ForkedFromMessage, &s.RequestDigest)
	if err != nil {
		return nil, known(err)
	}
	s.CreateTime, s.UpdateTime, s.LastActiveTime = s.CreateTime.UTC(), s.UpdateTime.UTC(), s.LastActiveTime.UTC()
	s.IdleTimeout, s.ExpireTime = time.Duration(idle)*time.Microsecond, s.ExpireTime.UTC()
	if ended != nil {
		s.EndTime = ended.UTC()
	}
	return s, s.DecodeDetails(details)
}

func scanMessage(row scanner) (*store.Message, error) {
	m := &store.Message{}
	err := row.Scan(&m.Position, &m.ID, &m.Role, &m.Version, &m.CreateTime, &m.Tokens, &m.Body)
	m.CreateTime = m.CreateTime.UTC()
	return m, err
}

func collectMessage(row pgx.CollectableRow) (*store.Message, error) { return scanMessage(row) }

func scanTombstone(row scanner) (store.Tombstone, error) {
	var t store.Tombstone
	if err := row.Scan(&t.Key, &t.ID, &t.Owner, &t.Version, &t.DeleteTime); err != nil {
		return store.Tombstone{}, known(err)
	}
	t.DeleteTime = t.DeleteTime.UTC()
	return t, nil
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
