package store

import (
	"context"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"google.golang.org/protobuf/proto"
)

// The states that the registry moves versions between, as they are stored.
const (
	active  = int64(classifierv1.ModelVersion_STATE_ACTIVE)
	canary  = int64(classifierv1.ModelVersion_STATE_CANARY)
	retired = int64(classifierv1.ModelVersion_STATE_RETIRED)
)

// change runs fn as a change of the registry. Its first statement locks out
// every other change, of other processes too.
func (s *Store) change(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	return s.write(ctx, func(ctx context.Context, tx Tx) error {
		if _, err := tx.Exec(ctx, `update model_registry set revision = revision + 1 where id = 1`); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

const versionColumns = `id, head, number, state, canary_percent, activate_micros, body`

func scanVersion(r Rows) (*classifierv1.ModelVersion, error) {
	var id, head string
	var number, state, percent, activated int64
	var body []byte
	if err := r.Scan(&id, &head, &number, &state, &percent, &activated, &body); err != nil {
		return nil, err
	}
	v := &classifierv1.ModelVersion{}
	if err := proto.Unmarshal(body, v); err != nil {
		return nil, err
	}
	v.Id, v.Head, v.Number, v.State = id, head, number, classifierv1.ModelVersion_State(state)
	v.CanaryPercent, v.ActivateTime = int32(percent), stamp(activated)
	return v, nil
}

// AddVersion stores a version and its file as a candidate or rejected, with the
// next number of its head. Where the head has a version of the same
// file_digest, that one is returned and nothing is stored. ErrTooManyHeads as for
// AddFeedback.
func (s *Store) AddVersion(ctx context.Context, v *classifierv1.ModelVersion, file []byte, heads int) (stored *classifierv1.ModelVersion, err error) {
	err = s.change(ctx, func(ctx context.Context, tx Tx) error {
		same, err := all(ctx, tx, `select `+versionColumns+` from model_versions where head = ? and file_digest = ?`,
			[]any{v.GetHead(), v.GetFileDigest()}, scanVersion)
		if err != nil {
			return err
		}
		if len(same) > 0 {
			stored = same[0]
			return nil
		}
		if err := admit(ctx, tx, v.GetHead(), heads); err != nil {
			return err
		}
		stored = proto.CloneOf(v)
		if err := one(ctx, tx, `select coalesce(max(number), 0) + 1 from model_versions where head = ?`, []any{v.GetHead()}, &stored.Number); err != nil {
			return err
		}
		body, err := encode(stored)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into model_versions (id, head, number, state, canary_percent, activate_micros, file_digest, body, file)
			values (?, ?, ?, ?, 0, 0, ?, ?, ?)`, v.GetId(), v.GetHead(), stored.GetNumber(), int64(v.GetState()), v.GetFileDigest(), body, file)
		return err
	})
	return stored, err
}

// Version returns a version.
func (s *Store) Version(ctx context.Context, id string) (*classifierv1.ModelVersion, error) {
	return s.version(ctx, s.db, id)
}

func (s *Store) version(ctx context.Context, r Reader, id string) (*classifierv1.ModelVersion, error) {
	list, err := all(ctx, r, `select `+versionColumns+` from model_versions where id = ?`, []any{id}, scanVersion)
	switch {
	case err != nil:
		return nil, s.db.Known(err)
	case len(list) == 0:
		return nil, ErrNotFound
	}
	return list[0], nil
}

// File returns a version's file.
func (s *Store) File(ctx context.Context, id string) (file []byte, err error) {
	err = one(ctx, s.db, `select file from model_versions where id = ?`, []any{id}, &file)
	return file, s.db.Known(err)
}

// Versions returns versions by head, those of a head by descending number.
func (s *Store) Versions(ctx context.Context, q VersionQuery) ([]*classifierv1.ModelVersion, error) {
	query, args := `select `+versionColumns+` from model_versions where 1 = 1`, []any{}
	if q.Head != "" {
		query += ` and head = ?`
		args = append(args, q.Head)
	}
	if q.AfterHead != "" {
		query += ` and (head > ? or head = ? and number < ?)`
		args = append(args, q.AfterHead, q.AfterHead, q.AfterNumber)
	}
	list, err := all(ctx, s.db, query+` order by head, number desc limit ?`, append(args, int64(q.Limit)), scanVersion)
	return list, s.db.Known(err)
}

// present is the id of a head's active version, "" for the built-in one.
func present(ctx context.Context, r Reader, head string) (id string, err error) {
	err = one(ctx, r, `select id from model_versions where head = ? and state = ?`, []any{head, active}, &id)
	if missing(err) {
		return "", nil
	}
	return id, err
}

// Activate makes a version the active one of its head; the one before is
// retired and remembered. Id "" stands for the built-in version. Doing it again
// changes nothing. A canary that becomes active is no canary any more; another
// canary stays.
func (s *Store) Activate(ctx context.Context, head, id string, at time.Time) error {
	return s.change(ctx, func(ctx context.Context, tx Tx) error {
		before, err := present(ctx, tx, head)
		if err != nil || before == id {
			return err
		}
		var last int64
		if err := one(ctx, tx, `select coalesce(max(position), 0) from model_activations where head = ?`, []any{head}, &last); err != nil {
			return err
		}
		if err := put(ctx, tx, head, id, at); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into model_activations (head, position, version_id, at_micros) values (?, ?, ?, ?)`, head, last+1, id, at.UnixMicro())
		return err
	})
}

// put retires a head's active version and makes another one active.
func put(ctx context.Context, tx Tx, head, id string, at time.Time) error {
	if _, err := tx.Exec(ctx, `update model_versions set state = ? where head = ? and state = ?`, retired, head, active); err != nil {
		return err
	}
	if id == "" {
		return nil
	}
	n, err := tx.Exec(ctx, `update model_versions set state = ?, canary_percent = 0, activate_micros = ? where head = ? and id = ?`, active, at.UnixMicro(), head, id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// SetCanary makes a version the canary of its head; another one is retired.
// ErrExists where the version is the active one.
func (s *Store) SetCanary(ctx context.Context, head, id string, percent int32) error {
	return s.change(ctx, func(ctx context.Context, tx Tx) error {
		before, err := present(ctx, tx, head)
		if err != nil {
			return err
		}
		if before == id {
			return ErrExists
		}
		if err := endCanary(ctx, tx, head); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `update model_versions set state = ?, canary_percent = ? where head = ? and id = ?`, canary, int64(percent), head, id)
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
}

// EndCanary retires the canary of a head, if there is one.
func (s *Store) EndCanary(ctx context.Context, head string) error {
	return s.change(ctx, func(ctx context.Context, tx Tx) error { return endCanary(ctx, tx, head) })
}

func endCanary(ctx context.Context, tx Tx, head string) error {
	_, err := tx.Exec(ctx, `update model_versions set state = ?, canary_percent = 0 where head = ? and state = ?`, retired, head, canary)
	return err
}

// Rollback makes active what was active before, retires the present version and
// the canary, and returns the id of the active one; "" is the built-in version,
// which was active before anything else. ErrNoPrevious where nothing was
// activated, or where only the built-in version is left and builtIn says that
// there is none.
func (s *Store) Rollback(ctx context.Context, head string, builtIn bool, at time.Time) (id string, err error) {
	err = s.change(ctx, func(ctx context.Context, tx Tx) error {
		id = ""
		history, err := all(ctx, tx, `select position, version_id from model_activations where head = ? order by position desc limit 2`, []any{head},
			func(r Rows) (v struct {
				position int64
				id       string
			}, err error,
			) {
				return v, r.Scan(&v.position, &v.id)
			})
		if err != nil {
			return err
		}
		switch {
		case len(history) == 0:
			return ErrNoPrevious
		case len(history) == 2:
			id = history[1].id
		}
		if id == "" && !builtIn {
			return ErrNoPrevious
		}
		if _, err := tx.Exec(ctx, `delete from model_activations where head = ? and position = ?`, head, history[0].position); err != nil {
			return err
		}
		if err := endCanary(ctx, tx, head); err != nil {
			return err
		}
		return put(ctx, tx, head, id, at)
	})
	return id, err
}

// Lineup returns all active versions and canaries, and the revision of the
// registry, which is another after every change of them.
func (s *Store) Lineup(ctx context.Context) (int64, []*classifierv1.ModelVersion, error) {
	// The revision is read first: what changes in between is seen again.
	revision, err := s.Revision(ctx)
	if err != nil {
		return 0, nil, err
	}
	list, err := all(ctx, s.db, `select `+versionColumns+` from model_versions where state in (?, ?) order by head, state`, []any{active, canary}, scanVersion)
	return revision, list, s.db.Known(err)
}

// Revision returns the revision alone.
func (s *Store) Revision(ctx context.Context) (revision int64, err error) {
	err = one(ctx, s.db, `select revision from model_registry where id = 1`, nil, &revision)
	return revision, s.db.Known(err)
}
