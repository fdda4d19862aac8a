package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, owner, id string) (store.Record, error) {
	var head, messages, log []byte
	var record store.Record
	err := s.db.QueryRow(ctx, `select head, messages, instance, session_note, case when substr(messages, 1, 1) in (x'00', x'01', x'02') then log end
		from responses where id = ? and owner = ?`, id, owner).
		Scan(&head, &messages, &record.Instance, &record.SessionNote, &log)
	if errors.Is(err, sql.ErrNoRows) {
		return record, store.ErrNotFound
	}
	if err != nil {
		return record, err
	}
	if messages, err = store.UnquoteStored(messages, log); err != nil {
		return record, err
	}
	record.Response, err = store.FromColumns(head, messages)
	return record, err
}

// Log implements store.Store.
func (s *Store) Log(ctx context.Context, id string) ([]byte, error) {
	var packed []byte
	err := s.db.QueryRow(ctx, "select log from responses where id = ?", id).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return store.UnpackLog(packed)
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter, limit int) ([]*responsev1.Response, error) {
	where, args := filter.Where(func(int) string { return "?" })
	rows, err := s.db.Select(ctx,
		"select head from responses where "+where+fmt.Sprintf(" order by create_micros desc, id desc limit %d", limit), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*responsev1.Response
	for rows.Next() {
		var head []byte
		if err := rows.Scan(&head); err != nil {
			return nil, err
		}
		r, err := store.FromColumns(head, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// CancelRequested implements store.Store.
func (s *Store) CancelRequested(ctx context.Context, instance string) ([]string, error) {
	rows, err := s.db.Query(ctx, "select id from responses where instance = ? and state = 1 and cancel_asked = 1", instance)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
