-- +goose Up
-- outbox holds what is to be told of the changes of one commit, until it is
-- moved into the log; see pkg/events.
create table outbox (
	id     bigserial primary key,
	micros bigint not null,
	record bytea not null
);
-- +goose Down
drop table outbox;
