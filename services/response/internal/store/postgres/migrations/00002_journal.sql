-- +goose Up
-- The log of an answer while it runs, in pieces of consecutive chunks. They are
-- removed when response_logs takes the whole log.
create table response_journal (
    response_id    text   not null,
    first_sequence bigint not null,
    last_sequence  bigint not null,
    frames         bytea  not null,
    primary key (response_id, first_sequence)
);
