-- +goose Up

create table queue_health (
    queue     text collate "C" primary key,
    unhealthy boolean not null,
    reasons   text[] not null check (unhealthy = (cardinality(reasons) > 0)),
    since     timestamptz not null check (isfinite(since)),
    changes   bigint not null check (changes >= 0)
);
comment on table queue_health is 'Health of worker queues as of the last check. One replica checks, all of them read.';
comment on column queue_health.since is 'When the queue became healthy or unhealthy.';
comment on column queue_health.changes is 'How often it has done so: the number of its last event.';

-- +goose Down

drop table queue_health;
