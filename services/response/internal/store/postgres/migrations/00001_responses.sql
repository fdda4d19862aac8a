-- +goose Up
create table responses (
    id             text primary key,
    owner          text    not null,
    request_id     text    not null,
    session_id     text    not null,
    state          integer not null,
    instance       text    not null,
    create_micros  bigint  not null,
    finish_micros  bigint  not null default 0,
    last_sequence  bigint  not null default 0,
    cancel_asked   boolean not null default false,
    head           bytea   not null,
    messages       bytea,
    session_intent bytea,
    session_note   text    not null default ''
);
create index responses_by_owner on responses (owner, create_micros, id);
create index responses_by_session on responses (owner, session_id, create_micros, id);
create index responses_running on responses (instance) where state = 1;
create index responses_pending on responses (finish_micros) where session_intent is not null;

-- The log stands apart, in pieces of consecutive chunks.
create table response_logs (
    response_id    text   not null,
    first_sequence bigint not null,
    frames         bytea  not null,
    primary key (response_id, first_sequence)
);

create table response_instances (
    id          text primary key,
    seen_micros bigint not null
);
