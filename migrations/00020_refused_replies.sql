-- +goose Up

-- The newest reply to a command that changed nothing, for the answer to why its step still waits. A worker may send many of them.
create index dead_letters_refused on dead_letters (saga_id, command_id, received_at, id)
    where reason in ('malformed_reply', 'user_not_allowed', 'rejected_by_store');

-- +goose Down

drop index dead_letters_refused;
