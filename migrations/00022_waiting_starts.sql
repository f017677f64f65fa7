-- +goose Up

-- Starts by message that must wait for their turn wait here, because in their queue they would keep other starts waiting. A replica of
-- the version before takes them for starts by SQL.
alter table start_requests
    add column by_message boolean not null default false,
    add column trace_parent text collate "C";
comment on column start_requests.by_message is 'The start came by message. actor is the user of the broker.';
comment on column start_requests.trace_parent is 'The trace that the start belongs to; null: none.';

-- +goose Down

alter table start_requests drop column by_message, drop column trace_parent;
