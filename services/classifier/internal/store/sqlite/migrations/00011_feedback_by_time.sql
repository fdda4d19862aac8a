-- +goose Up
drop index classification_feedback_by_head;
create index classification_feedback_by_head on classification_feedback (head, create_micros);
-- +goose Down
drop index classification_feedback_by_head;
create index classification_feedback_by_head on classification_feedback (head);
