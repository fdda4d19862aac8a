// Package postgres keeps the ledger in PostgreSQL, which several processes
// share: rows of a process that beats no more are orphans.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the migrations of this store.
func Migrations() fs.FS { return migrations }

// Store is the ledger in PostgreSQL.
type Store struct {
	db *postgres.DB

	reserve, settle, checkpoint string // statements that share commits
}

var _ store.Store = (*Store)(nil)

// New returns the ledger in db, which must be migrated.
func New(db *postgres.DB) *Store {
	table := db.Table("attempts")
	return &Store{db: db, reserve: "INSERT INTO " + table + reserveSQL, settle: "UPDATE " + table + settleSQL, checkpoint: "UPDATE " + table + checkpointSQL}
}

// Every write here is one statement: one round trip, and what a turn writes shares
// its commit with other turns.

const reserveSQL = ` (id, request_id, response_id, session_id, owner, user_id, provider, model, number,
	input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_source,
	cost_nanos, currency, price_version, reserve_micros, target, provider_key, route, cause, decision, instance) VALUES`

// Reserve implements store.Store.
func (s *Store) Reserve(ctx context.Context, attempt *gptv1.Attempt, instance string) error {
	return wrap(s.db.Commit(ctx, postgres.Stmt{Query: s.reserve, Args: append(store.ReserveValues(attempt), instance), Row: true}))
}

const settleSQL = ` SET state = 2, outcome = $1,
	input_tokens = $2, output_tokens = $3, cached_input_tokens = $4, cache_write_tokens = $5, reasoning_tokens = $6, usage_source = $7,
	cost_nanos = $8, currency = $9, price_version = $10, failure = $11, settle_micros = $12,
	queue_micros = $13, first_token_micros = $14, total_micros = $15, provider_response_id = $16
	WHERE id = $17 AND state = 1`

// Settle implements store.Store.
func (s *Store) Settle(ctx context.Context, attempt *gptv1.Attempt) (bool, error) {
	values, err := store.SettleValues(attempt)
	if err != nil {
		return false, fault.Internal(err)
	}
	err = s.db.Commit(ctx, postgres.Stmt{Query: s.settle, Args: append(values, attempt.GetId()), Must: true})
	if errors.Is(err, postgres.ErrUnchanged) {
		return false, nil
	}
	return err == nil, wrap(err)
}

// The settled columns come before those of the reservation that settling leaves
// as they are.
const settleWholeSQL = `INSERT INTO attempts (state, outcome, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens,
	reasoning_tokens, usage_source, cost_nanos, currency, price_version, failure, settle_micros,
	queue_micros, first_token_micros, total_micros, provider_response_id,
	id, request_id, response_id, session_id, owner, user_id, provider, model, number, reserve_micros,
	target, provider_key, route, cause, decision, instance)
	VALUES (2, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
	$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
	ON CONFLICT (id) DO UPDATE SET state = 2, outcome = excluded.outcome, input_tokens = excluded.input_tokens,
	output_tokens = excluded.output_tokens, cached_input_tokens = excluded.cached_input_tokens,
	cache_write_tokens = excluded.cache_write_tokens, reasoning_tokens = excluded.reasoning_tokens,
	usage_source = excluded.usage_source, cost_nanos = excluded.cost_nanos, currency = excluded.currency,
	price_version = excluded.price_version, failure = excluded.failure, settle_micros = excluded.settle_micros,
	queue_micros = excluded.queue_micros, first_token_micros = excluded.first_token_micros,
	total_micros = excluded.total_micros, provider_response_id = excluded.provider_response_id
	WHERE attempts.state = 1`

// SettleWhole implements store.Store.
func (s *Store) SettleWhole(ctx context.Context, attempt *gptv1.Attempt, instance string) (bool, error) {
	values, err := store.SettleValues(attempt)
	if err != nil {
		return false, fault.Internal(err)
	}
	values = append(values, attempt.GetId(), attempt.GetRequestId(), attempt.GetResponseId(), attempt.GetSessionId(),
		attempt.GetOwner(), attempt.GetUserId(), attempt.GetProvider(), attempt.GetModel(), attempt.GetNumber(),
		store.Micros(attempt.GetReserveTime()), attempt.GetTarget(), attempt.GetProviderKey(), attempt.GetRoute(),
		int32(attempt.GetCause()), attempt.GetDecision(), instance)
	tag, err := s.db.Exec(ctx, settleWholeSQL, values...)
	return tag.RowsAffected() == 1, wrap(err)
}

const checkpointSQL = ` AS attempts SET input_tokens = now.input, output_tokens = now.output, cost_nanos = now.cost
	FROM (SELECT unnest($1::text[]) AS id, unnest($2::bigint[]) AS input, unnest($3::bigint[]) AS output, unnest($4::bigint[]) AS cost) AS now
	WHERE attempts.id = now.id AND state = 1`

// Checkpoint implements store.Store.
func (s *Store) Checkpoint(ctx context.Context, progress []store.Progress) error {
	var names []string
	var input, output, cost []int64
	for _, p := range progress {
		names, input, output, cost = append(names, p.ID), append(input, p.InputTokens), append(output, p.OutputTokens), append(cost, p.CostNanos)
	}
	return wrap(s.db.Commit(ctx, postgres.Stmt{Query: s.checkpoint, Args: []any{names, input, output, cost}}))
}

var dialect = store.Dialect{
	Day:   "to_char(to_timestamp(reserve_micros / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
	Place: func(n int) string { return fmt.Sprintf("$%d", n) },
}

// Usage implements store.Store.
func (s *Store) Usage(ctx context.Context, query store.Query) (groups []*gptv1.UsageGroup, err error) {
	text, args := query.SQL(dialect)
	rows, err := s.db.Pool().Query(ctx, text, args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		group, to := store.ScanGroup(len(query.GroupBy))
		if err := rows.Scan(to...); err != nil {
			return nil, wrap(err)
		}
		groups = append(groups, group)
	}
	return groups, wrap(rows.Err())
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, filter store.Filter) (attempts []*gptv1.Attempt, err error) {
	where, args := []string{"owner = $1"}, []any{filter.Owner}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if filter.RequestID != "" {
		add("request_id = $%d", filter.RequestID)
	}
	if filter.SessionID != "" {
		add("session_id = $%d", filter.SessionID)
	}
	if filter.Provider != "" {
		add("provider = $%d", filter.Provider)
	}
	if filter.Model != "" {
		add("model = $%d", filter.Model)
	}
	if filter.SettledOnly {
		add("state = $%d", 2)
	}
	if !filter.After.IsZero() {
		add("reserve_micros >= $%d", filter.After.UnixMicro())
	}
	if !filter.Before.IsZero() {
		add("reserve_micros < $%d", filter.Before.UnixMicro())
	}
	if filter.Cursor != "" {
		add("id < $%d", filter.Cursor)
	}
	args = append(args, filter.Limit)
	rows, err := s.db.Pool().Query(ctx, "SELECT "+store.Columns+" FROM attempts WHERE "+strings.Join(where, " AND ")+
		fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args...)
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close()
	for rows.Next() {
		row := &store.Row{}
		if err := rows.Scan(row.Scan()...); err != nil {
			return nil, wrap(err)
		}
		attempt, err := row.Attempt()
		if err != nil {
			return nil, fault.Internal(err)
		}
		attempts = append(attempts, attempt)
	}
	return attempts, wrap(rows.Err())
}

// Expire implements store.Store. Ids sort by the time of reservation.
func (s *Store) Expire(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := s.db.Pool().Exec(ctx, `DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE id < $1 AND reserve_micros < $2 AND state = 2 ORDER BY id LIMIT $3)`,
		ids.Lowest("att", before), before.UnixMicro(), limit)
	return int(tag.RowsAffected()), wrap(err)
}

// Beat implements store.Store.
func (s *Store) Beat(ctx context.Context, instance string) error {
	_, err := s.db.Pool().Exec(ctx, `INSERT INTO instances (id, beat_time) VALUES ($1, clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET beat_time = excluded.beat_time`, instance)
	return wrap(err)
}

// Leave implements store.Store.
func (s *Store) Leave(ctx context.Context, instance string) error {
	_, err := s.db.Pool().Exec(ctx, `DELETE FROM instances WHERE id = $1`, instance)
	return wrap(err)
}

const orphansSQL = `WITH dead AS (
	  DELETE FROM instances WHERE id <> $1 AND beat_time < clock_timestamp() - $2::interval
	)
	UPDATE attempts SET state = 2, outcome = $3, usage_source = $4, settle_micros = $5
	WHERE state = 1 AND instance <> $1 AND instance NOT IN (
	  SELECT id FROM instances WHERE beat_time >= clock_timestamp() - $2::interval)`

// SettleOrphans implements store.Store.
func (s *Store) SettleOrphans(ctx context.Context, self string, grace time.Duration, now time.Time) (int, error) {
	tag, err := s.db.Pool().Exec(ctx, orphansSQL, self, grace, int32(gptv1.Attempt_OUTCOME_UNKNOWN),
		int32(conversationv1.UsageSource_USAGE_SOURCE_PARTIAL), now.UnixMicro())
	return int(tag.RowsAffected()), wrap(err)
}

func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case postgres.IsUnavailable(err) || postgres.IsFull(err) || postgres.IsConflict(err):
		return fault.StoreUnavailable("gpt", err)
	}
	return fault.From(err)
}
