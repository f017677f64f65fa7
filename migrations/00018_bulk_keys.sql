-- +goose Up

-- A bulk action that is requested again under its Idempotency-Key is found instead of made again. The key goes with the row.
-- Replicas of the version before keep running: they ignore keys, and leave these columns null.
alter table bulk_actions
    add column idempotency_key text collate "C",
    add column request_hash bytea,
    add constraint bulk_actions_keyed check ((idempotency_key is null) = (request_hash is null));
comment on column bulk_actions.idempotency_key is 'The Idempotency-Key of the request, of its kind; null: none, or made by a version before.';
comment on column bulk_actions.request_hash is 'The hash of the request that the key stands for.';
create unique index bulk_actions_key on bulk_actions (kind, idempotency_key) where idempotency_key is not null;

-- +goose Down

drop index bulk_actions_key;
alter table bulk_actions drop constraint bulk_actions_keyed, drop column request_hash, drop column idempotency_key;
