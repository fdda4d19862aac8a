-- +goose Up
create table responses (
    id             text primary key,
    owner          text    not null,
    request_id     text    not null,
    session_id     text    not null,
    state          integer not null,
    instance       text    not null,
    create_micros  integer not null,
    finish_micros  integer not null default 0,
    last_sequence  integer not null default 0,
    cancel_asked   integer not null default 0,
    head           blob    not null,
    messages       blob,
    session_intent blob,
    session_note   text    not null default ''
);
create index responses_by_owner on responses (owner, create_micros, id);
create index responses_by_session on responses (owner, session_id, create_micros, id);
create index responses_running on responses (instance) where state = 1;
create index responses_pending on responses (finish_micros) where session_intent is not null;

-- The log stands apart, in pieces of consecutive chunks.
create table response_logs (
    response_id    text    not null,
    first_sequence integer not null,
    frames         blob    not null,
    primary key (response_id, first_sequence)
);

create table response_instances (
    id          text primary key,
    seen_micros integer not null
) without rowid;
