-- +goose Up
create table experiments (
    name text primary key,
    body bytea not null
);

create table request_experiments (
    experiment    text   not null,
    create_micros bigint not null,
    request_id    text   not null,
    primary key (experiment, create_micros, request_id)
);

create table request_ratings (
    request_id text primary key,
    rating     double precision not null
);
