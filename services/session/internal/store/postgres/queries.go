package postgres

import (
	"slices"
	"strconv"
	"strings"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const (
	sessionColumns = `session_key, id, owner, user_id, title, state, details, create_time, update_time,
		last_active_time, idle_timeout_us, expire_time, end_time, version, message_count,
		forked_from_session_id, forked_from_message_id, request_digest`
	sessionByID  = `select ` + sessionColumns + ` from sessions where id = $1 and owner = $2`
	sessionByKey = `select ` + sessionColumns + ` from sessions where session_key = $1`

	insertSession = `insert into sessions (id, owner, user_id, title, state, details, create_time, update_time,
		last_active_time, idle_timeout_us, expire_time, end_time, version, message_count,
		forked_from_session_id, forked_from_message_id, request_digest)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		on conflict (id) do nothing returning session_key`
	updateSession = `update sessions set user_id = $1, title = $2, state = $3, details = $4, create_time = $5,
		update_time = $6, last_active_time = $7, idle_timeout_us = $8, expire_time = $9, end_time = $10, version = $11,
		message_count = $12, forked_from_session_id = $13, forked_from_message_id = $14, request_digest = $15
		where session_key = $16`
	deleteSession = `delete from sessions where session_key = $1`
	ended         = `select session_key from sessions where end_time < $1 order by end_time, session_key limit $2`
	due           = `select session_key from sessions where state = 1 and expire_time <= $1 order by expire_time, session_key limit $2`
	versionsOf    = `select session_key, version from sessions where session_key = any($1)`

	messageColumns = `position, message_id, role, version, create_time, tokens, body`
	messagesByID   = `select ` + messageColumns + ` from messages
		where session_key = $1 and message_id = any($2)`
	messageAt      = `select ` + messageColumns + ` from messages where session_key = $1 and position = $2`
	insertMessages = `insert into messages (session_key, position, message_id, role, version, create_time, tokens, body)
		select $1, * from unnest($2::bigint[], $3::text[], $4::smallint[], $5::bigint[], $6::timestamptz[], $7::bigint[], $8::bytea[])`
	// The versions of the source, which has gaps where it changed otherwise,
	// become consecutive ones.
	copyMessages = `insert into messages (session_key, position, message_id, role, version, create_time, tokens, body)
		select $1::bigint, position, message_id, role, $2::bigint + dense_rank() over (order by version), create_time, tokens, body
		from messages where session_key = $3 and position <= $4`
	copyChanges = `insert into changes (session_key, version, kind, first_position, last_position)
		select session_key, version, $1::smallint, min(position), max(position)
		from messages where session_key = $2 group by session_key, version`
	copied = `select count(*), coalesce(max(version), 0) from messages where session_key = $1`

	changesAfter = `select version, kind, first_position, last_position from changes
		where session_key = $1 and version > $2 order by version limit $3`
	insertChange = `insert into changes (session_key, version, kind, first_position, last_position) values ($1, $2, $3, $4, $5)`

	tombstoneColumns = `session_key, id, owner, version, delete_time`
	tombstoneByID    = `select ` + tombstoneColumns + ` from tombstones where id = $1 and owner = $2 order by session_key desc limit 1`
	tombstoneByKey   = `select ` + tombstoneColumns + ` from tombstones where session_key = $1`
	insertTombstone  = `insert into tombstones (session_key, id, owner, version, delete_time) values ($1, $2, $3, $4, $5)`
)

// queries are those of the writes that share commits, which name their tables with
// the schema.
type queries struct{ insert, move, update, message, change, touch string }

func queriesFor(db *postgres.DB) queries {
	sessions := db.Table("sessions")
	return queries{
		insert: `insert into ` + sessions + ` (` + sessionColumns + `) overriding system value values`,
		move: `update ` + sessions + ` set update_time = $1, last_active_time = greatest(last_active_time, $2), version = $3, message_count = $4
			where session_key = $5 and version = $6 and update_time = $7 and message_count = $8`,
		update: `update ` + sessions + ` set user_id = $1, title = $2, state = $3, details = $4, create_time = $5,
			update_time = $6, last_active_time = greatest(last_active_time, $7), idle_timeout_us = $8, expire_time = $9, end_time = $10, version = $11,
			message_count = $12, forked_from_session_id = $13, forked_from_message_id = $14, request_digest = $15
			where session_key = $16 and version = $17 and update_time = $18 and message_count = $19`,
		message: `insert into ` + db.Table("messages") + ` (session_key, position, message_id, role, version, create_time, tokens, body) values`,
		change:  `insert into ` + db.Table("changes") + ` (session_key, version, kind, first_position, last_position) values`,
		// The rows are held in the order of their keys, so that replicas that touch
		// the same ones do not wait for each other in a ring.
		touch: `with used as (select * from unnest($1::bigint[], $2::timestamptz[]) as u (session_key, at))
			, held as (
				select s.session_key from ` + sessions + ` s join used u on u.session_key = s.session_key
				where s.state = 1 and s.last_active_time < u.at order by s.session_key for update of s
			)
			update ` + sessions + ` s set last_active_time = u.at
			from held, used u
			where s.session_key = held.session_key and s.session_key = u.session_key
				and s.last_active_time < u.at and s.state = 1`,
	}
}

// arguments numbers the parameters of a query that is put together.
type arguments []any

// add returns the name of a new parameter.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}

// listSessions returns the query for one page. Its texts are few, so that they
// stay prepared.
func listSessions(q store.SessionQuery) (string, []any) {
	var args arguments
	text := `select ` + sessionColumns + ` from sessions where owner = ` + args.add(q.Owner)
	if q.UserID != "" {
		text += ` and user_id = ` + args.add(q.UserID) + ` and user_id <> ''`
	}
	if q.Before.Key != 0 {
		text += ` and (last_active_time, session_key) < (` + args.add(q.Before.LastActiveTime) + `, ` + args.add(q.Before.Key) + `)`
	}
	if len(q.States) > 0 {
		now := args.add(q.Now)
		// Says nothing, and gives the parameter its type where no state uses it.
		text += ` and ` + now + `::timestamptz is not null`
		idle := `last_active_time + idle_timeout_us * interval '1 microsecond'`
		var either []string
		for _, c := range []struct {
			state     sessionv1.Session_State
			condition string
		}{
			{sessionv1.Session_STATE_ACTIVE, `state = 1 and expire_time > ` + now + ` and ` + idle + ` > ` + now},
			{sessionv1.Session_STATE_IDLE, `state = 1 and expire_time > ` + now + ` and ` + idle + ` <= ` + now},
			{sessionv1.Session_STATE_ENDED, `state = 3`},
			{sessionv1.Session_STATE_EXPIRED, `state = 4 or state = 1 and expire_time <= ` + now},
		} {
			if slices.Contains(q.States, c.state) {
				either = append(either, c.condition)
			}
		}
		if len(either) == 0 {
			either = append(either, `false`)
		}
		text += ` and (` + strings.Join(either, ` or `) + `)`
	}
	text += ` order by last_active_time desc, session_key desc limit ` + args.add(q.Limit)
	return text, args
}

// listMessages returns the query for one page.
func listMessages(q store.MessageQuery) (string, []any) {
	var args arguments
	text := `select ` + messageColumns + ` from messages where session_key = ` + args.add(q.Key) + ` and position > ` + args.add(q.After)
	if q.Before != 0 {
		text += ` and position < ` + args.add(q.Before)
	}
	if q.System {
		text += ` and role = 1`
	}
	if q.NotSystem {
		text += ` and role <> 1`
	}
	if q.NewestFirst {
		text += ` order by position desc`
	} else {
		text += ` order by position`
	}
	return text + ` limit ` + args.add(q.Limit), args
}
