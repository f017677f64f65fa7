-- +goose Up

-- Everything here is added beside what is there: replicas of the version before keep running.

alter type attention_reason add value if not exists 'step_failed'; -- a reason of definitions with on_failure: park

create table bulk_actions (
    id            text collate "C" primary key,
    kind          text not null check (kind in ('sagas', 'dead_letters')),
    action        text not null,
    filter        json not null,
    parameters    json not null,
    reason        text not null,
    actor         text not null,
    rate          double precision not null check (rate >= 0),
    canary        integer not null check (canary >= 0),
    stop_after    integer not null check (stop_after >= 0),
    stop_base     integer not null default 0 check (stop_base >= 0),
    status        text not null check (status in ('running', 'waiting', 'stopped', 'cancelled', 'completed')),
    created_at    timestamptz not null,
    finished_at   timestamptz,
    holder        text not null default '',
    claimed_until timestamptz not null default '-infinity'
);
comment on table bulk_actions is 'Operator actions on many sagas or dead letters. The holder carries one out until claimed_until.';
create index bulk_actions_running on bulk_actions (id) where status = 'running';

create table bulk_items (
    bulk_id text collate "C" not null,
    target  text collate "C" not null,
    outcome text check (outcome in ('done', 'refused', 'failed')),
    message text not null default '',
    at      timestamptz,
    primary key (bulk_id, target)
);
comment on table bulk_items is 'The targets of bulk actions. An outcome is written in the transaction of what it is the outcome of.';
create index bulk_items_remaining on bulk_items (bulk_id, target) where outcome is null;

create table disabled_definitions (
    name  text collate "C" primary key,
    actor text not null,
    since timestamptz not null
);
comment on table disabled_definitions is 'Definitions of which no saga is started.';

create table queue_settings (
    queue   text collate "C" primary key,
    paused  boolean not null,
    max_out integer check (max_out > 0),
    rate    double precision check (rate > 0)
);
comment on table queue_settings is 'What operators have set for worker queues: no commands at all, so many out at a time, so many a second.';

-- +goose Down

-- attention_reason keeps its new value: an enum cannot lose one.

drop table queue_settings, disabled_definitions, bulk_items, bulk_actions;
