-- +goose Up

-- Large values are compressed with lz4, at a fraction of the time of pglz, where the server has it. Values that are stored
-- keep their compression until they are written again.
-- +goose StatementBegin
do $$
begin
    alter table sagas alter column data set compression lz4, alter column progress set compression lz4;
    alter table saga_decisions alter column entries set compression lz4;
    alter table outbox alter column body set compression lz4;
    alter table events alter column data set compression lz4;
    alter table dead_letters alter column body set compression lz4;
exception when feature_not_supported then
    raise notice 'this server compresses large values with pglz: it was built without lz4';
end
$$;
-- +goose StatementEnd

-- +goose Down

alter table dead_letters alter column body set compression default;
alter table events alter column data set compression default;
alter table outbox alter column body set compression default;
alter table saga_decisions alter column entries set compression default;
alter table sagas alter column data set compression default, alter column progress set compression default;
