package postgres

import (
	"context"
	"errors"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/request/internal/store"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
)

// assign keeps what a final request was in experiments.
func assign(ctx context.Context, tx pgx.Tx, r *requestv1.Request, names []string) error {
	for _, name := range names {
		if _, err := tx.Exec(ctx, `insert into request_experiments (experiment, create_micros, request_id) values ($1, $2, $3)
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
	tag, err := s.db.Pool().Exec(ctx, "insert into experiments (name, body) values ($1, $2) on conflict do nothing", e.GetName(), body)
	if err == nil && tag.RowsAffected() == 0 {
		return store.ErrExists
	}
	return err
}

// ChangeExperiment implements store.Routing.
func (s *Store) ChangeExperiment(ctx context.Context, name string, change func(*requestv1.Experiment) error) (*requestv1.Experiment, error) {
	var e *requestv1.Experiment
	err := s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var body []byte
		err := tx.QueryRow(ctx, "select body from experiments where name = $1 for update", name).Scan(&body)
		if errors.Is(err, pgx.ErrNoRows) {
			return store.ErrNotFound
		}
		if err != nil {
			return err
		}
		e = &requestv1.Experiment{}
		if err := proto.Unmarshal(body, e); err != nil {
			return err
		}
		if err := change(e); err != nil {
			return err
		}
		if body, err = proto.Marshal(e); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "update experiments set body = $1 where name = $2", body, name)
		return err
	})
	return e, err
}

// Experiments implements store.Routing.
func (s *Store) Experiments(ctx context.Context) ([]*requestv1.Experiment, error) {
	rows, err := s.db.Pool().Query(ctx, "select body from experiments order by name")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*requestv1.Experiment, error) {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return nil, err
		}
		e := &requestv1.Experiment{}
		return e, proto.Unmarshal(body, e)
	})
}

// Assigned implements store.Routing.
func (s *Store) Assigned(ctx context.Context, experiment string, each func(store.Assigned) error) error {
	rows, err := s.db.Pool().Query(ctx, `select r.body, v.rating from request_experiments e
		join requests r on r.id = e.request_id left join request_ratings v on v.request_id = e.request_id
		where e.experiment = $1 order by e.create_micros, e.request_id`, experiment)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var a store.Assigned
		if err := rows.Scan(&body, &a.Rating); err != nil {
			return err
		}
		if a.Request, err = store.Decode(body); err != nil {
			return err
		}
		if err := each(a); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Rate implements store.Routing.
func (s *Store) Rate(ctx context.Context, owner, requestID string, rating float64) error {
	tag, err := s.db.Pool().Exec(ctx, `insert into request_ratings (request_id, rating) select id, $1 from requests where id = $2 and owner = $3
		on conflict (request_id) do update set rating = excluded.rating`, rating, requestID, owner)
	if err == nil && tag.RowsAffected() == 0 {
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
		if _, err := s.db.Pool().Exec(ctx, "delete from experiments where name = $1", name); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "delete from request_experiments where create_micros < $1", store.Micros(before)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from request_ratings where request_id collate "C" < $1`, ids.Lowest("req", before))
		return err
	})
}
