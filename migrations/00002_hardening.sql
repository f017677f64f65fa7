-- +goose Up

-- Everything here is added beside what is there: replicas of the version before keep running.

-- The fence of a write. A revision can repeat: a failover may lose it, and another replica then writes it anew. An edit by
-- hand, or by the version before, leaves the token alone: the program compares the row's xmin too. (A trigger that moved
-- the token would cost a lock record in the log for every update.) The column stands last, so that an update that stays
-- in its page logs little more than before.
-- +goose StatementBegin
create function random_token() returns bigint language sql volatile as $$
    select (random() * 9007199254740991)::bigint
$$;
-- +goose StatementEnd

alter table sagas add column write_token bigint not null default 0;
alter table sagas alter column write_token set default random_token();
comment on column sagas.write_token is 'Drawn at random by every write. A process that has a saga in its cache writes it only over this token and the xmin that it has cached.';

create table installation (
    singleton  boolean primary key default true check (singleton),
    id         text not null check (id <> ''),
    created_at timestamptz not null
);
comment on table installation is 'Which installation this database belongs to: one row with a random id.';
insert into installation (id, created_at) values (gen_random_uuid()::text, clock_timestamp());

create table queue_problems (
    queue    text collate "C" primary key,
    kind     text not null check (kind <> ''),
    reason   text not null,
    since    timestamptz not null,
    retry_at timestamptz not null
);
comment on table queue_problems is 'Worker queues that take no commands at present. A row that is not refreshed within two minutes after retry_at is stale: its replica died.';

-- Commands that the broker refuses. returned_at stays for replicas of the version before.
alter table outbox add column refused_at timestamptz;
comment on column outbox.refused_at is 'When the broker refused the command itself last, whatever its queue; null: never.';

-- Commands are claimed queue by queue, so that one queue cannot hold back the others.
create index outbox_queue on outbox (queue collate "C", claimed_until);
drop index outbox_claimable;

-- Lists are in the order of the id, newest first: so are their indexes.
create index sagas_ended on sagas (definition, status, id) include (finished_at) where finished_at is not null;
drop index sagas_finished;
create index sagas_by_key on sagas (key, id) where key <> '';
drop index sagas_key;
create index sagas_seldom on sagas (status, id)
    where status in ('scheduled', 'compensating', 'paused', 'stuck', 'compensated', 'abandoned');

-- +goose Down

drop index sagas_seldom;
create index sagas_key on sagas (key, definition, id) where key <> '';
drop index sagas_by_key;
create index sagas_finished on sagas (definition, status, finished_at) where finished_at is not null;
drop index sagas_ended;
create index outbox_claimable on outbox (claimed_until);
drop index outbox_queue;
alter table outbox drop column refused_at;
drop table queue_problems, installation;
alter table sagas drop column write_token;
drop function random_token();
