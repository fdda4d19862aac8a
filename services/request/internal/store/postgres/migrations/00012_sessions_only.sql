-- +goose Up
-- Most requests have no session: they need no place in its index.
drop index requests_by_session;
create index requests_by_session on requests (owner, session_id, create_micros, id) where session_id <> '';
