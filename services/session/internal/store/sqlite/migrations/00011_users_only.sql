-- +goose Up
-- Most sessions name no user: they need no place in its index.
drop index sessions_by_user;
create index sessions_by_user on sessions (owner, user_id, last_active_time desc, session_key desc) where user_id <> '';
-- +goose Down
drop index sessions_by_user;
create index sessions_by_user on sessions (owner, user_id, last_active_time desc, session_key desc);
