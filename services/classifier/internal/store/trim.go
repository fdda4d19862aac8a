package store

import (
	"context"
	"errors"
)

// ErrTooManyHeads says that there are as many heads as there may be.
var ErrTooManyHeads = errors.New("classifier store: too many heads")

// lock holds off every change of the registry, of other processes too, until the
// transaction ends. It changes nothing.
func lock(ctx context.Context, tx Tx) error {
	_, err := tx.Exec(ctx, `update model_registry set revision = revision where id = 1`)
	return err
}

// headNames are the heads with feedback or versions. Each is looked up by the one
// before it, so that it takes as many steps as there are heads, not rows.
const headNames = `with recursive
	told (head) as (select min(head) from classification_feedback
		union all select (select min(f.head) from classification_feedback f where f.head > told.head) from told where told.head is not null),
	made (head) as (select min(head) from model_versions
		union all select (select min(v.head) from model_versions v where v.head > made.head) from made where made.head is not null)
	select head from told where head is not null union select head from made where head is not null`

// admit lets a row of a head in: of one that is there, or of a new one where there
// are fewer than most.
func admit(ctx context.Context, tx Tx, head string, most int) error {
	var n int64
	known := `select count(*) from (select 1 from classification_feedback where head = ? limit 1) as f`
	for _, query := range []string{known, `select count(*) from model_versions where head = ?`} {
		if err := one(ctx, tx, query, []any{head}, &n); err != nil || n > 0 {
			return err
		}
	}
	if err := lock(ctx, tx); err != nil { // one new head at a time
		return err
	}
	if err := one(ctx, tx, `select count(*) from (`+headNames+`) as h`, nil, &n); err != nil {
		return err
	}
	if n >= int64(most) {
		return ErrTooManyHeads
	}
	return nil
}

// surplus deletes the rows of a table whose ids a query selects, and returns how
// many it deleted. It begins no transaction where there are none. before runs in it
// first.
func (s *Store) surplus(ctx context.Context, table, ids string, args []any, before ...string) (n int64, err error) {
	var found int64
	if err := one(ctx, s.db, `select count(*) from (`+ids+`) as surplus`, args, &found); err != nil || found == 0 {
		return 0, s.db.Known(err)
	}
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		for _, query := range before {
			if _, err := tx.Exec(ctx, query, args...); err != nil {
				return err
			}
		}
		n, err = tx.Exec(ctx, `delete from `+table+` where id in (`+ids+`)`, args...)
		return err
	})
	return n, err
}

// TrimTrainings deletes, of each head, all runs that have ended but the newest
// keep, and returns how many it deleted. keep is at least 1.
func (s *Store) TrimTrainings(ctx context.Context, keep int) (int64, error) {
	return s.surplus(ctx, "trainings", `select id from (select id, row_number() over (partition by head order by create_micros desc, id desc) as place
		from trainings where state <> ?) as ended where place > ?`, []any{running, int64(keep)})
}

// surplusVersions are the versions that nobody needs: neither answering nor what
// Rollback would go back to.
const surplusVersions = `select id from (select id, row_number() over (partition by head order by number desc) as place from model_versions
	where state not in (?, ?) and id not in (select version_id from (
		select version_id, row_number() over (partition by head order by position desc) as back from model_activations) as latest where back <= 2)
	) as idle where place > ?`

// TrimVersions deletes, of each head, all versions but the newest keep, and returns
// how many it deleted. keep is at least 1. Kept beside those are the active version,
// the canary and the one that was active before; what is deleted is no longer among
// what Rollback goes back to.
func (s *Store) TrimVersions(ctx context.Context, keep int) (int64, error) {
	return s.surplus(ctx, "model_versions", surplusVersions, []any{active, canary, int64(keep)},
		`delete from model_activations where version_id in (`+surplusVersions+`)`)
}

// TrimActivations forgets, of each head, what was active but the last keep times,
// and returns how many it forgot. keep is at least 2.
func (s *Store) TrimActivations(ctx context.Context, keep int) (n int64, err error) {
	const oldest = `select head, position from (select head, position, row_number() over (partition by head order by position desc) as back
		from model_activations) as activations where back > ?`
	var found int64
	if err := one(ctx, s.db, `select count(*) from (`+oldest+`) as surplus`, []any{int64(keep)}, &found); err != nil || found == 0 {
		return 0, s.db.Known(err)
	}
	err = s.write(ctx, func(ctx context.Context, tx Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		n, err = tx.Exec(ctx, `delete from model_activations where (head, position) in (`+oldest+`)`, int64(keep))
		return err
	})
	return n, err
}
