package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"google.golang.org/protobuf/proto"
)

// assign keeps what a final request was in experiments.
func assign(ctx context.Context, tx *sqlite.Tx, r *requestv1.Request, names []string) error {
	for _, name := range names {
		if _, err := tx.Exec(ctx, `insert into request_experiments (experiment, create_micros, request_id) values (?, ?, ?)
			on conflict do nothing`, name, store.Micros(r.GetCreateTime().AsTime()), r.GetId()); err != nil {
			return err
		}
	}
	return nil
}

// AddExperiment implements store.Routing.
func (s *Store) AddExperiment(ctx context.Context, e *requestv1.Experiment) error {
	body, err := proto.Marshal(e)
	if err != nil {
		return err
	}
	n, err := s.db.Exec(ctx, "insert into experiments (name, body) values (?, ?) on conflict do nothing", e.GetName(), body)
	if err == nil && n == 0 {
		return store.ErrExists
	}
	return err
}

// ChangeExperiment implements store.Routing.
func (s *Store) ChangeExperiment(ctx context.Context, name string, change func(*requestv1.Experiment) error) (*requestv1.Experiment, error) {
	e := &requestv1.Experiment{}
	err := s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		var body []byte
		err := tx.QueryRow(ctx, "select body from experiments where name = ?", name).Scan(&body)
		if errors.Is(err, sql.ErrNoRows) {
			return store.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := proto.Unmarshal(body, e); err != nil {
			return err
		}
		if err := change(e); err != nil {
			return err
		}
		if body, err = proto.Marshal(e); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update experiments set body = ? where name = ?", body, name)
		return err
	})
	return e, err
}

// Experiments implements store.Routing.
func (s *Store) Experiments(ctx context.Context) ([]*requestv1.Experiment, error) {
	rows, err := s.db.Query(ctx, "select body from experiments order by name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*requestv1.Experiment
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		e := &requestv1.Experiment{}
		if err := proto.Unmarshal(body, e); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// Assigned implements store.Routing.
func (s *Store) Assigned(ctx context.Context, experiment string, each func(store.Assigned) error) error {
	rows, err := s.db.Select(ctx, `select r.body, v.rating from request_experiments e
		join requests r on r.id = e.request_id left join request_ratings v on v.request_id = e.request_id
		where e.experiment = ? order by e.create_micros, e.request_id`, experiment)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var rating sql.NullFloat64
		if err := rows.Scan(&body, &rating); err != nil {
			return err
		}
		r, err := store.Decode(body)
		if err != nil {
			return err
		}
		a := store.Assigned{Request: r}
		if rating.Valid {
			a.Rating = &rating.Float64
		}
		if err := each(a); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Rate implements store.Routing.
func (s *Store) Rate(ctx context.Context, owner, requestID string, rating float64) error {
	n, err := s.db.Exec(ctx, `insert into request_ratings (request_id, rating) select id, ? from requests where id = ? and owner = ?
		on conflict (request_id) do update set rating = excluded.rating`, rating, requestID, owner)
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}

// ExpireRouting implements store.Routing.
func (s *Store) ExpireRouting(ctx context.Context, before time.Time) error {
	list, err := s.Experiments(ctx)
	if err != nil {
		return err
	}
	for _, name := range store.Over(list, before) {
		if _, err := s.db.Exec(ctx, "delete from experiments where name = ?", name); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(ctx context.Context, tx *sqlite.Tx) error {
		if _, err := tx.Exec(ctx, "delete from request_experiments where create_micros < ?", store.Micros(before)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "delete from request_ratings where request_id < ?", ids.Lowest("req", before))
		return err
	})
}
