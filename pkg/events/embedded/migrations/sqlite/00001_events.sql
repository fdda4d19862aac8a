-- +goose Up
create table outbox (
	seq    integer primary key,
	micros integer not null,
	record blob not null
);
create table consumers (
	owner         text not null,
	name          text not null,
	cursor        text not null,
	update_micros integer not null,
	holder        text not null default '',
	held_until    integer not null default 0,
	primary key (owner, name)
) without rowid;
create table dead_letters (
	id       text primary key,
	consumer text not null,
	owner    text not null,
	event    blob not null,
	error    text not null,
	attempts integer not null,
	micros   integer not null,
	requeued integer not null default 0
);
create index dead_letters_by_consumer on dead_letters (consumer, id);
create table published (
	owner  text not null,
	id     text not null,
	micros integer not null,
	primary key (owner, id)
) without rowid;
-- +goose Down
drop table published;
drop table dead_letters;
drop table consumers;
drop table outbox;
