-- +goose Up
CREATE TABLE attempts (
  -- Ids sort by the time of reservation, byte by byte.
  id                  text COLLATE "C" PRIMARY KEY,
  request_id          text    NOT NULL,
  response_id         text    NOT NULL,
  session_id          text    NOT NULL,
  owner               text    NOT NULL,
  user_id             text    NOT NULL,
  provider            text    NOT NULL,
  model               text    NOT NULL,
  number              integer NOT NULL,
  state               integer NOT NULL DEFAULT 1,
  outcome             integer NOT NULL DEFAULT 0,
  input_tokens        bigint  NOT NULL,
  output_tokens       bigint  NOT NULL,
  cached_input_tokens bigint  NOT NULL,
  cache_write_tokens  bigint  NOT NULL,
  reasoning_tokens    bigint  NOT NULL,
  usage_source        integer NOT NULL,
  cost_nanos          bigint  NOT NULL,
  currency            text    NOT NULL,
  price_version       text    NOT NULL,
  failure             bytea   NOT NULL DEFAULT '',
  reserve_micros      bigint  NOT NULL,
  settle_micros       bigint  NOT NULL DEFAULT 0,
  queue_micros        bigint  NOT NULL DEFAULT 0,
  first_token_micros  bigint  NOT NULL DEFAULT 0,
  total_micros        bigint  NOT NULL DEFAULT 0,
  instance            text    NOT NULL
);
CREATE INDEX attempts_by_owner   ON attempts (owner, id);
CREATE INDEX attempts_by_request ON attempts (request_id, id) WHERE request_id <> '';
CREATE INDEX attempts_by_session ON attempts (session_id, id) WHERE session_id <> '';
CREATE INDEX attempts_reserved   ON attempts (instance) WHERE state = 1;

-- One row per process that may hold reserved attempts.
CREATE TABLE instances (
  id        text        PRIMARY KEY,
  beat_time timestamptz NOT NULL
);
