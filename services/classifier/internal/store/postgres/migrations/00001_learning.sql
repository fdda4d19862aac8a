-- +goose Up
-- Times are microseconds since 1970, UTC. States and origins are the numbers of
-- gptmesh.classifier.v1.
create table training_samples (
    id            text    collate "C" primary key,
    head          text    collate "C" not null,
    owner         text    not null,
    text          text    not null,
    group_name    text    not null,
    label         text    collate "C" not null,
    origin        bigint not null,
    source_id     text    not null,
    create_micros bigint not null
);

create unique index training_samples_by_source on training_samples (head, source_id);
create index training_samples_by_head on training_samples (head, create_micros, id);
create index training_samples_by_owner on training_samples (owner, create_micros, id);

create table classification_feedback (
    owner         text    not null,
    id            text    not null,
    head          text    collate "C" not null,
    create_micros bigint not null,
    body          bytea   not null,
    primary key (owner, id)
);

create index classification_feedback_by_head on classification_feedback (head);

create table model_versions (
    id              text    collate "C" primary key,
    head            text    collate "C" not null,
    number          bigint not null,
    state           bigint not null,
    canary_percent  bigint not null,
    activate_micros bigint not null,
    file_digest     text    not null,
    body            bytea   not null,
    file            bytea   not null
);

create unique index model_versions_by_number on model_versions (head, number);
create unique index model_versions_by_file on model_versions (head, file_digest);
create unique index model_versions_active on model_versions (head) where state = 2;
create unique index model_versions_canary on model_versions (head) where state = 3;

-- What was active, one after the other; an empty version is the built-in one.
create table model_activations (
    head       text    not null,
    position   bigint not null,
    version_id text    not null,
    at_micros  bigint not null,
    primary key (head, position)
);

create table model_registry (
    id       bigint primary key check (id = 1),
    revision bigint not null
);

insert into model_registry (id, revision) values (1, 1);

create table trainings (
    id            text    collate "C" primary key,
    head          text    collate "C" not null,
    state         bigint not null,
    beat_micros   bigint not null,
    cancel_asked  bigint not null,
    create_micros bigint not null,
    body          bytea   not null
);

create unique index trainings_running on trainings (state) where state = 1;
create index trainings_by_head on trainings (head, create_micros);

-- +goose Down
drop table trainings;
drop table model_registry;
drop table model_activations;
drop table model_versions;
drop table classification_feedback;
drop table training_samples;
