-- +goose Up

-- Entries that are sealed only: the change that writes an entry does not pay for this index. The time of entries needs none,
-- because it grows with seq.
create index audit_actor on audit (actor, seq) where seq is not null;

-- +goose Down

drop index audit_actor;
