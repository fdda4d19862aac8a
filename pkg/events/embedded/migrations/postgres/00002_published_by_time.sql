-- +goose Up
create index published_by_time on published (micros);
-- +goose Down
drop index published_by_time;
