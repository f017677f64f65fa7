-- +goose Up

-- A sealed document is a JSON string; a clear one is an object. Replicas of the version before refuse a string as unreadable.
alter table sagas drop constraint sagas_data_check;
alter table sagas add constraint sagas_data_check check (json_typeof(data) in ('object', 'string')) not valid;
alter table events drop constraint events_data_check;
alter table events add constraint events_data_check check (json_typeof(data) in ('object', 'string')) not valid;

create table payload_keys (
    id       text collate "C" primary key,
    verifier bytea not null,
    used_at  timestamptz not null
);
comment on table payload_keys is 'Keys with which payloads in this database are sealed; none stands for clear ones. A server that lacks one does not start.';
comment on column payload_keys.verifier is 'A known text, sealed with the key: another key under the same id does not open it.';
comment on column payload_keys.used_at is 'When a replica that seals with it was there last.';

create table payload_rewrite (
    only_one  boolean primary key default true check (only_one),
    key       text not null,
    step      integer not null, -- the table that is being read, by its number
    block     bigint not null,  -- of that table, up to which it was read
    changed   bigint not null,  -- rows of this pass
    failed    bigint not null,  -- rows of this pass that could not be opened
    done_at   timestamptz
);
comment on table payload_rewrite is 'How far the stored payloads are sealed anew with the current key. A pass that changes nothing is the last one.';
insert into payload_rewrite (key, step, block, changed, failed, done_at) values ('', 0, 0, 0, 0, now());

-- +goose Down

drop table payload_rewrite;
drop table payload_keys;
alter table events drop constraint events_data_check;
alter table events add constraint events_data_check check (json_typeof(data) = 'object') not valid;
alter table sagas drop constraint sagas_data_check;
alter table sagas add constraint sagas_data_check check (json_typeof(data) = 'object') not valid;
