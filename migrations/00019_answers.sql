-- +goose Up

-- The dead letters that end a command whose saga may still await it, by saga. There is one for each rejected command.
create index dead_letters_answers on dead_letters (saga_id, command_id)
    where reason = 'unreadable_saga' or source in ('command', 'commands');

-- +goose Down

drop index dead_letters_answers;
