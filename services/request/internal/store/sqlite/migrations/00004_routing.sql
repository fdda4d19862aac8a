-- +goose Up
create table experiments (
    name text primary key,
    body blob not null
) without rowid;

create table request_experiments (
    experiment    text    not null,
    create_micros integer not null,
    request_id    text    not null,
    primary key (experiment, create_micros, request_id)
) without rowid;

create table request_ratings (
    request_id text primary key,
    rating     real    not null
) without rowid;
