-- +goose Up

-- Replicas of the version before look up keys by hash and revoked_at only: during an upgrade they accept expired keys and
-- know of no definitions. Create keys of these kinds after the upgrade.
alter table api_keys add column expires_at timestamptz;
alter table api_keys add column definitions text[] check (cardinality(definitions) > 0);
alter table api_keys add column last_used_at timestamptz;
alter table api_keys add column old_hash bytea unique check (length(old_hash) = 32);
alter table api_keys add column old_until timestamptz;
comment on column api_keys.definitions is 'The definitions that the key covers; null: all.';
comment on column api_keys.last_used_at is 'Written at most once a minute.';
comment on column api_keys.old_hash is 'Of the secret before the last rotation, valid until old_until.';

alter table bulk_actions add column definitions text[];
comment on column bulk_actions.definitions is 'The definitions that the key of its creator covered; null: all.';

-- +goose Down

alter table bulk_actions drop column definitions;
alter table api_keys drop column old_until;
alter table api_keys drop column old_hash;
alter table api_keys drop column last_used_at;
alter table api_keys drop column definitions;
alter table api_keys drop column expires_at;
