-- +goose Up

-- Replicas of the version before write no events.
create table events (
    at         timestamptz not null check (isfinite(at)),
    seq        bigint not null,
    sink       text collate "C" not null,
    subject    text collate "C" not null,
    type       text not null,
    definition text not null,
    data       json not null check (json_typeof(data) = 'object'),
    primary key (sink, at, subject, seq)
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table events is 'Lifecycle events that have not left, a row for each sink. The time of a saga never runs backwards, so in the order of the key the events of a saga are in their order.';
comment on column events.subject is 'The saga''s id, or the queue''s name.';
comment on column events.definition is 'Of the saga; empty: the event does not concern a saga.';

-- +goose Down

drop table events;
