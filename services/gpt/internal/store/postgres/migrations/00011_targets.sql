-- +goose Up
ALTER TABLE attempts
  ADD COLUMN target               text    NOT NULL DEFAULT '',
  ADD COLUMN provider_key         text    NOT NULL DEFAULT '',
  ADD COLUMN route                text    NOT NULL DEFAULT '',
  ADD COLUMN cause                integer NOT NULL DEFAULT 0,
  ADD COLUMN decision             text    NOT NULL DEFAULT '',
  ADD COLUMN provider_response_id text    NOT NULL DEFAULT '';
