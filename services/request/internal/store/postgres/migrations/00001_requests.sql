-- +goose Up
create table requests (
    id            text primary key,
    owner         text    not null,
    user_id       text    not null,
    session_id    text    not null,
    state         integer not null,
    instance      text    not null,
    answered      boolean not null default false,
    create_micros bigint  not null,
    body          bytea   not null
);
create index requests_by_owner on requests (owner, create_micros, id);
create index requests_by_user on requests (owner, user_id, create_micros, id);
create index requests_by_session on requests (owner, session_id, create_micros, id);
create index requests_open on requests (instance) where state < 3;

create table request_keys (
    owner          text    not null,
    key            text    not null,
    request_id     text    not null,
    hash           bytea   not null,
    expires_micros bigint  not null,
    primary key (owner, key)
);
create index request_keys_expiry on request_keys (expires_micros);

create table request_instances (
    id          text primary key,
    seen_micros bigint not null
);
