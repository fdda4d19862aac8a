-- +goose Up
-- outbox holds what is to be told of the changes of one commit, in the order of
-- the commits; see pkg/events.
create table outbox (
	seq    integer primary key,
	micros integer not null,
	record blob not null
);
-- +goose Down
drop table outbox;
