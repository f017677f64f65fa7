-- +goose Up

-- The entries of one transaction, until they are sealed: a row for each in audit would be written twice, with its indexes.
-- Replicas of the version before write their entries to audit as before, and do not seal these.
create table audit_waiting (
    id      bigint generated always as identity primary key,
    at      timestamptz not null default clock_timestamp(),
    entries json not null check (json_typeof(entries) = 'array')
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table audit_waiting is 'Entries of the audit log that are not sealed yet, those of a transaction in a row. They move to audit within moments.';
-- +goose StatementBegin
do $$
begin
    alter table audit_waiting alter column entries set compression lz4;
exception when feature_not_supported then
    null; -- this server compresses with pglz
end
$$;
-- +goose StatementEnd

-- Entries that are sealed only, like those of audit_actor.
create index audit_sealed_target on audit (target, seq) where seq is not null;
drop index audit_target;

-- +goose Down

create index audit_target on audit (target, seq);
drop index audit_sealed_target;
drop table audit_waiting;
