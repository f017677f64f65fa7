-- +goose Up

-- Everything here is added beside what is there: replicas of the version before keep running. Sagas that they start have no
-- idempotency_key, and the keys of these sagas stay.

-- The column stands last and never changes, so an update that stays in its page does not log it.
alter table sagas add column idempotency_key text;
comment on column sagas.idempotency_key is 'The key of its row in idempotency_keys; null: none, or started by a version before.';

alter table idempotency_keys add column ended_at timestamptz;
comment on column idempotency_keys.ended_at is 'When the saga ended, set when the saga is deleted; null: the saga is still there.';
create index idempotency_keys_ended on idempotency_keys (ended_at) where ended_at is not null;

create table leases (
    name          text collate "C" primary key,
    holder        text not null,
    claimed_until timestamptz not null
);
comment on table leases is 'Work that one replica does at a time: the holder does it until claimed_until.';

-- +goose Down

drop table leases;
drop index idempotency_keys_ended;
alter table idempotency_keys drop column ended_at;
alter table sagas drop column idempotency_key;
