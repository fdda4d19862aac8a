-- +goose Up
-- The log is one piece and ends its row: a list does not read it, and an answer
-- is written at one place instead of three.
alter table responses add column log blob;
update responses set log = (select frames from response_logs where response_id = responses.id and first_sequence = 1);
drop table response_logs;

-- Most answers have no session: they need no place in its index.
drop index responses_by_session;
create index responses_by_session on responses (owner, session_id, create_micros, id) where session_id <> '';
