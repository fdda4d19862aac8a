-- +goose Up
-- The log of an answer while it runs, in pieces of consecutive chunks. They are
-- removed when the row takes the whole log.
create table response_journal (
    response_id    text    not null,
    first_sequence integer not null,
    last_sequence  integer not null,
    frames         blob    not null,
    primary key (response_id, first_sequence)
) without rowid;
