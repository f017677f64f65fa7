-- +goose Up

-- Everything here is added beside what is there: replicas of the version before keep running. They neither hold commands
-- back nor claim those that are.

alter table outbox add column held_rank smallint;
comment on column outbox.held_rank is 'Not null: a setting of the queue holds the command back, and claimed_until is infinity. Lower ranks leave first: 0 waits for the end of a pause only, others are 256 less the priority.';

-- Rows of queues without settings never enter this index.
create index outbox_held on outbox (queue collate "C", held_rank, created_at, saga_id, command) where held_rank is not null;

alter table queue_settings
    add column since            timestamptz not null default clock_timestamp(),
    add column controlled_since timestamptz not null default clock_timestamp(),
    add column counted_at       timestamptz,
    add column tokens           double precision not null default 0,
    add column tokens_at        timestamptz not null default clock_timestamp();
comment on column queue_settings.since is 'When an operator changed the row last.';
comment on column queue_settings.controlled_since is 'Since when the queue has had a setting without a break.';
comment on column queue_settings.counted_at is 'When the commands that were out before the cap was set were given places; null: not yet.';
comment on column queue_settings.tokens is 'How many commands the rate allowed at tokens_at.';

create table queue_places (
    queue   text collate "C" not null,
    saga_id text collate "C" not null,
    command text collate "C" not null,
    primary key (queue, saga_id, command)
);
comment on table queue_places is 'Commands of capped queues that have left the outbox and are awaited. Rows that are not true any more are deleted before the next command leaves.';

-- +goose Down

drop table queue_places;
alter table queue_settings drop column tokens_at, drop column tokens, drop column counted_at, drop column controlled_since, drop column since;
update outbox set claimed_until = now() where held_rank is not null;
drop index outbox_held;
alter table outbox drop column held_rank;
