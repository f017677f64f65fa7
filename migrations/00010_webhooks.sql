-- +goose Up

create table webhooks (
    name       text collate "C" primary key,
    url        text not null,
    events     text[] not null check (cardinality(events) > 0),
    secret     bytea not null check (length(secret) > 0),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    last_at    timestamptz,
    last_error text not null default ''
);
comment on table webhooks is 'HTTP addresses that receive lifecycle events. The secret signs, so it is kept as it is.';

create table webhook_deliveries (
    webhook    text collate "C" not null references webhooks on delete cascade,
    event_id   text collate "C" not null,
    type       text not null,
    body       bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    due_at     timestamptz not null default clock_timestamp(),
    attempts   integer not null default 0 check (attempts >= 0),
    primary key (webhook, event_id)
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table webhook_deliveries is 'Events that webhooks have not taken yet.';
comment on column webhook_deliveries.due_at is 'When the next attempt may begin. A replica that begins one moves it ahead.';

create index webhook_deliveries_due on webhook_deliveries (webhook, due_at);

-- +goose Down

drop table webhook_deliveries, webhooks;
