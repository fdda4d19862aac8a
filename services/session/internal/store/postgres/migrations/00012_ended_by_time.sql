-- +goose Up
-- Sessions that have ended are removed by the time of their end.
create index sessions_ended on sessions (end_time) where end_time is not null;
-- +goose Down
drop index sessions_ended;
