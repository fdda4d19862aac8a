-- +goose Up
-- States and kinds are the numbers of gptmesh.session.v1.
create table sessions (
    session_key            bigint      generated always as identity primary key,
    id                     text        collate "C" not null unique,
    owner                  text        collate "C" not null,
    user_id                text        collate "C" not null,
    title                  text        not null,
    state                  smallint    not null,
    details                bytea,
    create_time            timestamptz not null,
    update_time            timestamptz not null,
    last_active_time       timestamptz not null,
    idle_timeout_us        bigint      not null,
    expire_time            timestamptz not null,
    end_time               timestamptz,
    version                bigint      not null,
    message_count          bigint      not null,
    forked_from_session_id text        not null,
    forked_from_message_id text        not null,
    request_digest         bytea
);

create index sessions_by_owner on sessions (owner, last_active_time desc, session_key desc);
create index sessions_by_user on sessions (owner, user_id, last_active_time desc, session_key desc);
create index sessions_due on sessions (expire_time) where state = 1;

create table messages (
    session_key bigint      not null references sessions on delete cascade,
    position    bigint      not null,
    message_id  text        collate "C" not null,
    role        smallint    not null,
    version     bigint      not null,
    create_time timestamptz not null,
    tokens      bigint      not null,
    body        bytea       not null,
    primary key (session_key, position)
);

create unique index messages_by_id on messages (session_key, message_id);
create index messages_of_system on messages (session_key, position) where role = 1;

create table changes (
    session_key    bigint   not null references sessions on delete cascade,
    version        bigint   not null,
    kind           smallint not null,
    first_position bigint   not null,
    last_position  bigint   not null,
    primary key (session_key, version)
);

create table tombstones (
    session_key bigint      primary key,
    id          text        collate "C" not null,
    owner       text        collate "C" not null,
    version     bigint      not null,
    delete_time timestamptz not null
);

create index tombstones_by_id on tombstones (id, session_key desc);
create index tombstones_by_time on tombstones (delete_time);

-- +goose Down
drop table tombstones;
drop table changes;
drop table messages;
drop table sessions;
