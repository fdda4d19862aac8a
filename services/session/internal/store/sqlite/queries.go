package sqlite

import (
	"slices"
	"strings"

	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
)

const (
	sessionColumns = `session_key, id, owner, user_id, title, state, details, create_time, update_time,
		last_active_time, idle_timeout_us, expire_time, end_time, version, message_count,
		forked_from_session_id, forked_from_message_id, request_digest`
	sessionByID  = `select ` + sessionColumns + ` from sessions where id = ? and owner = ?`
	sessionByKey = `select ` + sessionColumns + ` from sessions where session_key = ?`

	insertSession = `insert into sessions (id, owner, user_id, title, state, details, create_time, update_time,
		last_active_time, idle_timeout_us, expire_time, end_time, version, message_count,
		forked_from_session_id, forked_from_message_id, request_digest)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (id) do nothing returning session_key`
	insertKeyed = `insert into sessions (session_key, id, owner, user_id, title, state, details, create_time, update_time,
		last_active_time, idle_timeout_us, expire_time, end_time, version, message_count,
		forked_from_session_id, forked_from_message_id, request_digest)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	moveSession   = `update sessions set update_time = ?, last_active_time = ?, version = ?, message_count = ? where session_key = ?`
	updateSession = `update sessions set user_id = ?, title = ?, state = ?, details = ?, create_time = ?,
		update_time = ?, last_active_time = ?, idle_timeout_us = ?, expire_time = ?, end_time = ?, version = ?,
		message_count = ?, forked_from_session_id = ?, forked_from_message_id = ?, request_digest = ?
		where session_key = ?`
	deleteSession = `delete from sessions where session_key = ?`
	touch         = `update sessions set last_active_time = ? where session_key = ? and last_active_time < ? and state = 1`
	ended         = `select session_key from sessions where end_time < ? order by end_time, session_key limit ?`
	due           = `select session_key from sessions where state = 1 and expire_time <= ? order by expire_time, session_key limit ?`
	versionsOf    = `select session_key, version from sessions where session_key in (select value from json_each(?))`

	messageColumns = `position, message_id, role, version, create_time, tokens, body`
	messagesByID   = `select ` + messageColumns + ` from messages
		where session_key = ? and message_id in (select value from json_each(?))`
	messageAt     = `select ` + messageColumns + ` from messages where session_key = ? and position = ?`
	insertMessage = `insert into messages (session_key, position, message_id, role, version, create_time, tokens, body)
		values (?, ?, ?, ?, ?, ?, ?, ?)`
	// The versions of the source, which has gaps where it changed otherwise,
	// become consecutive ones.
	copyMessages = `insert into messages (session_key, position, message_id, role, version, create_time, tokens, body)
		select ?, position, message_id, role, ? + dense_rank() over (order by version), create_time, tokens, body
		from messages where session_key = ? and position <= ?`
	copyChanges = `insert into changes (session_key, version, kind, first_position, last_position)
		select session_key, version, ?, min(position), max(position)
		from messages where session_key = ? group by session_key, version`
	copied = `select count(*), coalesce(max(version), 0) from messages where session_key = ?`

	changesAfter = `select version, kind, first_position, last_position from changes
		where session_key = ? and version > ? order by version limit ?`
	insertChange = `insert into changes (session_key, version, kind, first_position, last_position) values (?, ?, ?, ?, ?)`

	tombstoneColumns = `session_key, id, owner, version, delete_time`
	tombstoneByID    = `select ` + tombstoneColumns + ` from tombstones where id = ? and owner = ? order by session_key desc limit 1`
	tombstoneByKey   = `select ` + tombstoneColumns + ` from tombstones where session_key = ?`
	insertTombstone  = `insert into tombstones (session_key, id, owner, version, delete_time) values (?, ?, ?, ?, ?)`
)

// listSessions returns the query for one page. Its texts are few, so that they
// stay prepared.
func listSessions(q store.SessionQuery) (string, []any) {
	text := `select ` + sessionColumns + ` from sessions where owner = ?`
	args := []any{q.Owner}
	if q.UserID != "" {
		text += ` and user_id = ? and user_id <> ''`
		args = append(args, q.UserID)
	}
	if q.Before.Key != 0 {
		text += ` and (last_active_time, session_key) < (?, ?)`
		args = append(args, q.Before.LastActiveTime.UnixMicro(), q.Before.Key)
	}
	if len(q.States) > 0 {
		now := q.Now.UnixMicro()
		var either []string
		for _, state := range []sessionv1.Session_State{
			sessionv1.Session_STATE_ACTIVE, sessionv1.Session_STATE_IDLE,
			sessionv1.Session_STATE_ENDED, sessionv1.Session_STATE_EXPIRED,
		} {
			if !slices.Contains(q.States, state) {
				continue
			}
			switch state {
			case sessionv1.Session_STATE_ACTIVE:
				either = append(either, `state = 1 and expire_time > ? and last_active_time + idle_timeout_us > ?`)
				args = append(args, now, now)
			case sessionv1.Session_STATE_IDLE:
				either = append(either, `state = 1 and expire_time > ? and last_active_time + idle_timeout_us <= ?`)
				args = append(args, now, now)
			case sessionv1.Session_STATE_ENDED:
				either = append(either, `state = 3`)
			case sessionv1.Session_STATE_EXPIRED:
				either = append(either, `state = 4 or state = 1 and expire_time <= ?`)
				args = append(args, now)
			}
		}
		if len(either) == 0 {
			either = append(either, `false`)
		}
		text += ` and (` + strings.Join(either, ` or `) + `)`
	}
	text += ` order by last_active_time desc, session_key desc limit ?`
	return text, append(args, q.Limit)
}

// listMessages returns the query for one page.
func listMessages(q store.MessageQuery) (string, []any) {
	text := `select ` + messageColumns + ` from messages where session_key = ? and position > ?`
	args := []any{q.Key, q.After}
	if q.Before != 0 {
		text += ` and position < ?`
		args = append(args, q.Before)
	}
	if q.System {
		text += ` and role = 1`
	}
	if q.NotSystem {
		text += ` and role <> 1`
	}
	if q.NewestFirst {
		text += ` order by position desc limit ?`
	} else {
		text += ` order by position limit ?`
	}
	return text, append(args, q.Limit)
}
