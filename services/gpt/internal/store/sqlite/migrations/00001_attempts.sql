-- +goose Up
CREATE TABLE attempts (
  id                  TEXT    PRIMARY KEY,
  request_id          TEXT    NOT NULL,
  response_id         TEXT    NOT NULL,
  session_id          TEXT    NOT NULL,
  owner               TEXT    NOT NULL,
  user_id             TEXT    NOT NULL,
  provider            TEXT    NOT NULL,
  model               TEXT    NOT NULL,
  number              INTEGER NOT NULL,
  state               INTEGER NOT NULL DEFAULT 1,
  outcome             INTEGER NOT NULL DEFAULT 0,
  input_tokens        INTEGER NOT NULL,
  output_tokens       INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  cache_write_tokens  INTEGER NOT NULL,
  reasoning_tokens    INTEGER NOT NULL,
  usage_source        INTEGER NOT NULL,
  cost_nanos          INTEGER NOT NULL,
  currency            TEXT    NOT NULL,
  price_version       TEXT    NOT NULL,
  failure             BLOB    NOT NULL DEFAULT x'',
  reserve_micros      INTEGER NOT NULL,
  settle_micros       INTEGER NOT NULL DEFAULT 0,
  queue_micros        INTEGER NOT NULL DEFAULT 0,
  first_token_micros  INTEGER NOT NULL DEFAULT 0,
  total_micros        INTEGER NOT NULL DEFAULT 0,
  instance            TEXT    NOT NULL
) WITHOUT ROWID;
-- Ids sort by the time of reservation, so they are the order of every list.
CREATE INDEX attempts_by_owner   ON attempts (owner, id);
CREATE INDEX attempts_by_request ON attempts (request_id, id) WHERE request_id <> '';
CREATE INDEX attempts_by_session ON attempts (session_id, id) WHERE session_id <> '';
CREATE INDEX attempts_reserved   ON attempts (instance) WHERE state = 1;
