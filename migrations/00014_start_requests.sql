-- +goose Up

create table start_requests (
    number          bigint generated always as identity primary key,
    saga_id         text collate "C" not null,
    idempotency_key text collate "C", -- null: none
    body            text not null,
    actor           text not null,
    created_at      timestamptz not null default clock_timestamp(),
    claimed_until   timestamptz not null default '-infinity',
    attempts        integer not null default 0 check (attempts >= 0)
)
-- A claim changes no indexed column, so it stays in the row's own page as long as there is room.
with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table start_requests is 'Sagas that saga_start has asked for and that are not started yet. The body is that of POST /v1/sagas.';
comment on column start_requests.claimed_until is 'Until when a replica has the row to itself.';
comment on column start_requests.attempts is 'How often a replica has claimed the row. After some claims each lasts longer than the one before.';

create index start_requests_key on start_requests (idempotency_key, number) where idempotency_key is not null;

-- The function has the rights of its owner. Its search_path holds no schema in which others may create objects, so it names
-- the schema of the tables itself.
-- +goose StatementBegin
do $migration$
begin
    execute format($function$
create function %1$I.saga_start(
    definition text, data json, idempotency_key text default null, key text default null, priority integer default 0,
    labels jsonb default '{}', start_at timestamptz default null, deadline interval default null
) returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $body$
#variable_conflict use_variable
declare
    alphabet constant text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    parts constant bytea := uuid_send(gen_random_uuid());
    stamp constant bigint := floor(extract(epoch from clock_timestamp()) * 1000);
    high constant bigint := ('x' || encode(substring(parts from 1 for 5), 'hex'))::bit(40)::bigint;
    low constant bigint := ('x' || encode(substring(parts from 10 for 5), 'hex'))::bit(40)::bigint;
    seconds constant numeric := extract(epoch from deadline);
    fault text;
    body text;
    id text;
    answer text;
begin
    priority := coalesce(priority, 0);
    labels := coalesce(labels, '{}');
    fault := case
        when definition is null or definition collate "C" !~ '^[A-Za-z0-9._:-]{1,128}$' then 'definition: must name a definition'
        when data is null or json_typeof(data) <> 'object' then 'data: must be a JSON object'
        when idempotency_key = '' or length(idempotency_key) > 255 then 'idempotency_key: must have 1 to 255 characters'
        when length(key) > 128 then 'key: must have at most 128 characters'
        when priority not between 0 and 9 then 'priority: must be 0 to 9'
        when jsonb_typeof(labels) <> 'object' then 'labels: must be a JSON object'
        when exists (select from jsonb_each(labels) l where jsonb_typeof(l.value) <> 'string') then 'labels: values must be strings'
        when start_at < '0001-01-01 00:00:00+00' then 'start_at: must not be before the year 1'
        when start_at > clock_timestamp() + interval '3650 days' then 'start_at: must not be more than ten years ahead'
        when seconds not between 0.001 and 31536000 then 'deadline: must be 1 millisecond to 8760 hours'
    end;
    if fault is not null then
        raise exception using errcode = 'invalid_parameter_value', message = 'saga_start: ' || fault;
    end if;

    body := '{"definition":' || to_json(definition)::text
        || coalesce(',"key":' || to_json(nullif(key, ''))::text, '')
        || case when priority <> 0 then ',"priority":' || priority::text else '' end
        || case when labels <> '{}' then ',"labels":' || labels::text else '' end
        || coalesce(',"start_at":"' || to_char(start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"', '')
        || coalesce(',"deadline":"' || round(seconds * 1000000)::text || 'us"', '')
        || ',"data":' || data::text || '}';
    if octet_length(body) > 262144 then
        raise exception using errcode = 'program_limit_exceeded',
            message = 'saga_start: data: must have at most 256 KiB, together with the other arguments';
    end if;

    -- A ULID: 48 bits of time, 80 random ones.
    id := '';
    for i in reverse 9..0 loop
        id := id || substr(alphabet, ((stamp >> (5 * i)) & 31)::integer + 1, 1);
    end loop;
    for i in reverse 7..0 loop
        id := id || substr(alphabet, ((high >> (5 * i)) & 31)::integer + 1, 1);
    end loop;
    for i in reverse 7..0 loop
        id := id || substr(alphabet, ((low >> (5 * i)) & 31)::integer + 1, 1);
    end loop;

    if idempotency_key is not null then
        -- Calls with the same key wait for each other's transaction, so that the second one finds the first. One statement
        -- reads both tables: a request is deleted after its saga is stored.
        perform pg_advisory_xact_lock(hashtextextended('saga_start/' || idempotency_key, 0));
        select k.saga_id, coalesce(r.saga_id, id) into answer, id
        from (values (idempotency_key)) n (key)
            left join %1$I.idempotency_keys k on k.key = n.key
            left join lateral (select r.saga_id from %1$I.start_requests r where r.idempotency_key = n.key
                and k.key is null order by r.number limit 1) r on true;
    end if;
    insert into %1$I.start_requests (saga_id, idempotency_key, body, actor) values (id, idempotency_key, body, session_user);
    return coalesce(answer, id);
end
$body$
$function$, current_schema());
end
$migration$;
-- +goose StatementEnd

revoke all on function saga_start(text, json, text, text, integer, jsonb, timestamptz, interval) from public;
comment on function saga_start(text, json, text, text, integer, jsonb, timestamptz, interval) is
    'Asks for a saga and returns its id. The saga starts when the calling transaction commits.';

-- +goose Down

drop function saga_start(text, json, text, text, integer, jsonb, timestamptz, interval);
drop table start_requests;
