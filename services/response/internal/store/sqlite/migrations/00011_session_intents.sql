-- +goose Up
-- session_intents are the appends to sessions that are not known to be done, apart
-- from the answers: most are done before their rows are written. What a journal from
-- before says of responses.session_intent is in its column when this runs.
create table session_intents (
    response_id   text    not null primary key,
    owner         text    not null,
    finish_micros integer not null,
    intent        blob    not null
) strict;

create index session_intents_by_time on session_intents (finish_micros);

insert into session_intents (response_id, owner, finish_micros, intent)
    select id, owner, finish_micros, session_intent from responses where session_intent is not null;
drop index responses_pending;
update responses set session_intent = null where session_intent is not null;
-- +goose Down
drop table session_intents;
create index responses_pending on responses (finish_micros) where session_intent is not null;
