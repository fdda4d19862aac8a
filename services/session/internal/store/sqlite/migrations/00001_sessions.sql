-- +goose Up
-- Times are microseconds since 1970, UTC. States and kinds are the numbers of
-- gptmesh.session.v1.
create table sessions (
    session_key            integer primary key autoincrement,
    id                     text    not null unique,
    owner                  text    not null,
    user_id                text    not null,
    title                  text    not null,
    state                  integer not null,
    details                blob,
    create_time            integer not null,
    update_time            integer not null,
    last_active_time       integer not null,
    idle_timeout_us        integer not null,
    expire_time            integer not null,
    end_time               integer,
    version                integer not null,
    message_count          integer not null,
    forked_from_session_id text    not null,
    forked_from_message_id text    not null,
    request_digest         blob
) strict;

create index sessions_by_owner on sessions (owner, last_active_time desc, session_key desc);
create index sessions_by_user on sessions (owner, user_id, last_active_time desc, session_key desc);
create index sessions_due on sessions (expire_time) where state = 1;

create table messages (
    session_key integer not null references sessions on delete cascade,
    position    integer not null,
    message_id  text    not null,
    role        integer not null,
    version     integer not null,
    create_time integer not null,
    tokens      integer not null,
    body        blob    not null
) strict;

create unique index messages_by_position on messages (session_key, position);
create unique index messages_by_id on messages (session_key, message_id);
create index messages_of_system on messages (session_key, position) where role = 1;

create table changes (
    session_key    integer not null references sessions on delete cascade,
    version        integer not null,
    kind           integer not null,
    first_position integer not null,
    last_position  integer not null,
    primary key (session_key, version)
) strict, without rowid;

create table tombstones (
    session_key integer primary key,
    id          text    not null,
    owner       text    not null,
    version     integer not null,
    delete_time integer not null
) strict;

create index tombstones_by_id on tombstones (id, session_key desc);
create index tombstones_by_time on tombstones (delete_time);

-- +goose Down
drop table tombstones;
drop table changes;
drop table messages;
drop table sessions;
