-- +goose Up
ALTER TABLE attempts ADD COLUMN target               TEXT    NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN provider_key         TEXT    NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN route                TEXT    NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN cause                INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN decision             TEXT    NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN provider_response_id TEXT    NOT NULL DEFAULT '';
