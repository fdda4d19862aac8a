package store

import (
	"context"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const running = int64(classifierv1.Training_STATE_RUNNING)

// BeginTraining stores a run that begins. Where one runs already it returns
// that one's id and ErrBusy. A run that has not been heard of since stale is
// taken for dead and ends as interrupted.
func (s *Store) BeginTraining(ctx context.Context, t *classifierv1.Training, now, stale time.Time) (id string, err error) {
	body, err := encode(t)
	if err != nil {
		return "", err
	}
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		id = ""
		// The row of the registry is the lock: one begins at a time.
		if err := lock(ctx, tx); err != nil {
			return err
		}
		list, err := all(ctx, tx, `select body, beat_micros from trainings where state = ?`, []any{running}, func(r Rows) (v beaten, err error) {
			return v, r.Scan(&v.body, &v.at)
		})
		if err != nil {
			return err
		}
		for _, v := range list {
			other := &classifierv1.Training{}
			if err := proto.Unmarshal(v.body, other); err != nil {
				return err
			}
			if v.at >= stale.UnixMicro() {
				id = other.GetId()
				return ErrBusy
			}
			other.State, other.Message, other.FinishTime = classifierv1.Training_STATE_INTERRUPTED, "its process stopped", timestamppb.New(now)
			if err := end(ctx, tx, other); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `insert into trainings (id, head, state, beat_micros, cancel_asked, create_micros, body) values (?, ?, ?, ?, 0, ?, ?)`,
			t.GetId(), t.GetHead(), running, now.UnixMicro(), micros(t.GetCreateTime()), body)
		return err
	})
	return id, err
}

type beaten struct {
	body []byte
	at   int64
}

func end(ctx context.Context, tx Tx, t *classifierv1.Training) error {
	body, err := encode(t)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `update trainings set state = ?, body = ? where id = ? and state = ?`, int64(t.GetState()), body, t.GetId(), running)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// Beat says that a run goes on, and returns whether it is to be cancelled.
// ErrNotFound where it was taken for dead.
func (s *Store) Beat(ctx context.Context, id string, now time.Time) (cancel bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		n, err := tx.Exec(ctx, `update trainings set beat_micros = ? where id = ? and state = ?`, now.UnixMicro(), id, running)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		var asked int64
		err = one(ctx, tx, `select cancel_asked from trainings where id = ?`, []any{id}, &asked)
		cancel = asked != 0
		return err
	})
	return cancel, err
}

// AskCancel asks for a run to be cancelled; nothing where it has ended.
func (s *Store) AskCancel(ctx context.Context, id string) error {
	return s.write(ctx, func(ctx context.Context, tx Tx) error {
		_, err := tx.Exec(ctx, `update trainings set cancel_asked = 1 where id = ? and state = ?`, id, running)
		return err
	})
}

// EndTraining stores how a run ended. ErrNotFound where it does not run.
func (s *Store) EndTraining(ctx context.Context, t *classifierv1.Training) error {
	return s.write(ctx, func(ctx context.Context, tx Tx) error { return end(ctx, tx, t) })
}

func scanTraining(r Rows) (*classifierv1.Training, error) {
	var body []byte
	if err := r.Scan(&body); err != nil {
		return nil, err
	}
	t := &classifierv1.Training{}
	return t, proto.Unmarshal(body, t)
}

// Training returns a run.
func (s *Store) Training(ctx context.Context, id string) (*classifierv1.Training, error) {
	list, err := all(ctx, s.db, `select body from trainings where id = ?`, []any{id}, scanTraining)
	switch {
	case err != nil:
		return nil, s.db.Known(err)
	case len(list) == 0:
		return nil, ErrNotFound
	}
	return list[0], nil
}

// ListTrainings returns runs, newest first, those with ids below before alone
// where it is not empty. Head "" means all.
func (s *Store) ListTrainings(ctx context.Context, head, before string, limit int) ([]*classifierv1.Training, error) {
	query, args := `select body from trainings where 1 = 1`, []any{}
	if head != "" {
		query += ` and head = ?`
		args = append(args, head)
	}
	if before != "" {
		query += ` and id < ?`
		args = append(args, before)
	}
	list, err := all(ctx, s.db, query+` order by id desc limit ?`, append(args, int64(limit)), scanTraining)
	return list, s.db.Known(err)
}

// LastTraining returns when the newest run of a head began, zero where there
// was none.
func (s *Store) LastTraining(ctx context.Context, head string) (time.Time, error) {
	var at int64
	err := one(ctx, s.db, `select coalesce(max(create_micros), 0) from trainings where head = ?`, []any{head}, &at)
	if err != nil || at == 0 {
		return time.Time{}, s.db.Known(err)
	}
	return time.UnixMicro(at).UTC(), nil
}
