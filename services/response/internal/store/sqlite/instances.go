package sqlite

import (
	"context"
	"encoding/json"
	"time"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// Heartbeat implements store.Store.
func (s *Store) Heartbeat(ctx context.Context, instance string, now, deadBefore time.Time) error {
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if _, err := tx.Exec(ctx, `insert into response_instances (id, seen_micros) values (?, ?)
			on conflict (id) do update set seen_micros = excluded.seen_micros`, instance, store.Micros(now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from response_instances where seen_micros < ?", store.Micros(deadBefore))
		return err
	})
}

// orphansSQL finds what dead instances have left.
const orphansSQL = `select id, head from responses where state = 1 and instance <> ? and (? or not exists
	(select 1 from response_instances i where i.id = responses.instance and i.seen_micros >= ?))
	and (? or id in (select value from json_each(?))) limit ?`

// orphansOf are its arguments.
func orphansOf(sweep store.Sweep) ([]any, error) {
	of, err := json.Marshal(sweep.Of)
	return []any{sweep.Except, sweep.All, store.Micros(sweep.DeadBefore), len(sweep.Of) == 0, string(of), sweep.Limit}, err
}

// Orphans implements store.Store.
func (s *Store) Orphans(ctx context.Context, sweep store.Sweep) ([]*responsev1.Response, error) {
	args, err := orphansOf(sweep)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Query(ctx, orphansSQL, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*responsev1.Response
	for rows.Next() {
		var o orphan
		if err := rows.Scan(&o.id, &o.head); err != nil {
			return nil, err
		}
		r, err := store.FromColumns(o.head, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Interrupt implements store.Store.
func (s *Store) Interrupt(ctx context.Context, sweep store.Sweep) (int, error) {
	args, err := orphansOf(sweep)
	if err != nil {
		return 0, err
	}
	s.forget(func(b begun) bool { return b.instance != sweep.Except })
	done := 0
	err = s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		rows, err := tx.Query(ctx, orphansSQL, args...)
		if err != nil {
			return err
		}
		var found []orphan
		for rows.Next() {
			var o orphan
			if err := rows.Scan(&o.id, &o.head); err != nil {
				return err
			}
			found = append(found, o)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, o := range found {
			pieces, err := tx.Query(ctx, "select frames from response_journal where response_id = ? order by first_sequence", o.id)
			if err != nil {
				return err
			}
			frames, err := join(pieces)
			if err != nil {
				return err
			}
			c, log, err := sweep.Interrupted(o.head, frames)
			if err != nil {
				return err
			}
			if err := finish(ctx, tx, c, log, store.Final{}); err != nil {
				return err
			}
			done++
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return done, nil
}

// orphan is an answer that a dead instance left.
type orphan struct {
	id   string
	head []byte
}
