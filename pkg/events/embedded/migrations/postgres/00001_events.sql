-- +goose Up
create table outbox (
	id     bigserial primary key,
	micros bigint not null,
	record bytea not null
);
-- log is what was moved out of every outbox of the database, in an order that
-- never changes: it is written under one lock, so that a lower seq is never
-- seen after a higher one.
create table log (
	seq    bigserial primary key,
	room   text not null,
	micros bigint not null,
	record bytea not null
);
create index log_by_time on log (micros);
create table consumers (
	owner         text not null,
	name          text not null,
	cursor        text not null,
	update_micros bigint not null,
	holder        text not null default '',
	held_until    bigint not null default 0,
	primary key (owner, name)
);
create table dead_letters (
	id       text primary key,
	consumer text not null,
	owner    text not null,
	event    bytea not null,
	error    text not null,
	attempts integer not null,
	micros   bigint not null,
	requeued integer not null default 0
);
create index dead_letters_by_consumer on dead_letters (consumer, id);
create table published (
	owner  text not null,
	id     text not null,
	micros bigint not null,
	primary key (owner, id)
);
-- +goose Down
drop table published;
drop table dead_letters;
drop table consumers;
drop table log;
drop table outbox;
