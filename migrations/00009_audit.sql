-- +goose Up

-- Replicas of the version before write no rows: changes that come through them are not audited.
create table audit (
    id         bigint not null generated always as identity,
    at         timestamptz not null,
    actor      text not null,
    key_id     text not null,
    action     text not null,
    target     text collate "C" not null,
    definition text not null,
    reason     text not null,
    request_id text not null,
    before     json,
    after      json,
    seq        bigint,
    hash       bytea check (length(hash) = 32),
    check ((seq is null) = (hash is null))
)
with (autovacuum_vacuum_scale_factor = 0.02, fillfactor = 80);
comment on table audit is 'Every change that came by the API, written with the change. seq and hash, which chain the rows, follow a moment later: a chain that each change extends itself would serialize them.';
comment on column audit.definition is 'What the change concerns; empty: no definition, or all.';
create unique index audit_seq on audit (seq) where seq is not null;
create index audit_unsealed on audit (id) where seq is null;
create index audit_target on audit (target, seq);

create table audit_chain (
    only_one  boolean primary key default true check (only_one),
    seq       bigint not null,
    hash      bytea not null check (length(hash) = 32),
    first_seq  bigint not null,
    first_hash bytea not null check (length(first_hash) = 32)
);
comment on table audit_chain is 'seq and hash of the last sealed row of audit, and of the row before the first one that is kept.';
insert into audit_chain (seq, hash, first_seq, first_hash)
values (0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

-- +goose Down

drop table audit_chain;
drop table audit;
