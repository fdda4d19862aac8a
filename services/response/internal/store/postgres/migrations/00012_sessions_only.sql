-- +goose Up
-- Most answers have no session: they need no place in its index.
drop index responses_by_session;
create index responses_by_session on responses (owner, session_id, create_micros, id) where session_id <> '';
