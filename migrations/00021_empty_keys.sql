-- +goose Up

-- An empty business key is refused, as an empty idempotency key is: it was silently none. The rest of saga_start stays as 00014 created it,
-- with its owner and its grants.
-- +goose StatementBegin
do $migration$
declare
    before constant text := $$when length(key) > 128 then 'key: must have at most 128 characters'$$;
    after constant text := $$when key = '' or length(key) > 128 then 'key: must have 1 to 128 characters'$$;
    signature constant text := format('%I.saga_start(text, json, text, text, integer, jsonb, timestamptz, interval)', current_schema());
begin
    execute replace(pg_get_functiondef(signature::regprocedure), before, after); -- it says create or replace
end
$migration$;
-- +goose StatementEnd

-- +goose Down

-- +goose StatementBegin
do $migration$
declare
    before constant text := $$when length(key) > 128 then 'key: must have at most 128 characters'$$;
    after constant text := $$when key = '' or length(key) > 128 then 'key: must have 1 to 128 characters'$$;
    signature constant text := format('%I.saga_start(text, json, text, text, integer, jsonb, timestamptz, interval)', current_schema());
begin
    execute replace(pg_get_functiondef(signature::regprocedure), after, before);
end
$migration$;
-- +goose StatementEnd
