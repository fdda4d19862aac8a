-- +goose Up
-- Most requests name no user: they need no place in its index.
drop index requests_by_user;
create index requests_by_user on requests (owner, user_id, create_micros, id) where user_id <> '';
