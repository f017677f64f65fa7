-- +goose Up

-- Every id is compared byte by byte: ULIDs then sort by time, whatever the database's locale.
-- Bodies and data are json or bytea, never jsonb: their text must come out as it went in.

create table definitions (
    name       text collate "C" not null,
    version    integer not null check (version > 0),
    hash       bytea not null check (length(hash) = 32),
    body       json not null,
    queues     text[] not null check (cardinality(queues) > 0),
    created_at timestamptz not null,
    primary key (name, version)
);
comment on table definitions is 'The plans of sagas. A row is never changed: another body is another version.';

-- Types rather than lists in a check: Postgres reads the text of a check anew in every statement, byte by byte. The order
-- tells the kinds of status apart: up to compensating a saga moves by itself, from completed on it has ended.
create type saga_status as enum
    ('scheduled', 'running', 'compensating', 'paused', 'stuck', 'completed', 'compensated', 'abandoned');
create type attention_reason as enum ('compensation_exhausted', 'pivot_unknown', 'retries_exhausted', 'late_effect',
    'deadline_exceeded', 'overdue');

-- What never changes stands first, what every step changes last: an update that stays in its page logs only what lies
-- between the first and the last byte that differ.
create table sagas (
    id                text collate "C" primary key,
    definition        text collate "C" not null,
    version           integer not null check (version > 0),
    key               text collate "C" not null, -- empty: none
    priority          smallint not null check (priority between 0 and 255),
    labels            jsonb not null check (jsonb_typeof(labels) = 'object'),
    trace_parent      text not null,
    step_names        text[] not null,
    created_at        timestamptz not null,
    start_at          timestamptz,
    deadline_at       timestamptz,
    data              json not null check (json_typeof(data) = 'object'),
    status            saga_status not null,
    finished_at       timestamptz,
    wake_at           timestamptz,
    attention_reason  attention_reason,
    attention_since   timestamptz,
    attention_step    text,
    attention_message text,
    revision          bigint not null check (revision > 0),
    updated_at        timestamptz not null,
    progress          json not null check (json_typeof(progress) = 'object'),

    constraint sagas_terminal_is_finished check ((status >= 'completed') = (finished_at is not null)),
    constraint sagas_active_wakes check (status > 'compensating' or wake_at is not null),
    constraint sagas_ended_or_paused_sleeps check (status < 'completed' and status <> 'paused' or wake_at is null),
    constraint sagas_scheduled_has_start check (status <> 'scheduled' or start_at is not null),
    constraint sagas_stuck_has_attention check (status <> 'stuck' or attention_reason is not null),
    constraint sagas_attention_whole check
        (num_nulls(attention_reason, attention_since, attention_step, attention_message) in (0, 4))
)
-- A step changes no indexed column, so its update stays in the row's own page (HOT) as long as there is room.
with (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table sagas is 'One row per saga. What only the core reads is in progress; saga_steps shows it.';
comment on column sagas.progress is 'Short names, to keep the log small: see store/progress.go. Times are microseconds after created_at.';

create index sagas_waking on sagas (wake_at) where wake_at is not null;
create index sagas_unfinished on sagas (definition, id) where finished_at is null;
create index sagas_finished on sagas (definition, status, finished_at) where finished_at is not null;
create index sagas_attention on sagas (attention_reason, id) where attention_reason is not null;
create index sagas_key on sagas (key, definition, id) where key <> '';
create index sagas_labels on sagas using gin (labels jsonb_path_ops) where labels <> '{}';
create index sagas_created on sagas using brin (created_at) with (pages_per_range = 16, autosummarize = on);

create table saga_decisions (
    seq     bigint not null check (seq > 0), -- columns that are aligned stand first, so that no room is lost between
    at      timestamptz not null,
    saga_id text collate "C" not null,
    actor   text not null, -- empty: nobody
    entries json not null check (json_typeof(entries) = 'array'),
    primary key (saga_id, seq)
);
comment on table saga_decisions is 'What happened to each saga, a row per decision. Rows are only added; saga_history shows a row per entry.';
comment on column saga_decisions.seq is 'Of the first entry; the others count on.';
comment on column saga_decisions.entries is 'Each is an array: type, step, attempt, detail; what is missing at the end is empty.';

create table outbox (
    created_at    timestamptz not null,
    claimed_until timestamptz not null,
    returned_at   timestamptz,
    attempts      integer not null check (attempts >= 0),
    leased        boolean not null, -- by a replica that is publishing it; false: it waits for its next turn
    saga_id       text collate "C" not null,
    command       text collate "C" not null, -- its id without the saga's; what it is called, the definition knows
    queue         text not null,
    reason        text not null,
    body          bytea not null,
    primary key (saga_id, command)
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
comment on table outbox is 'Commands that have not been confirmed to be in their queue; their sagas know the rest of them.';

create index outbox_claimable on outbox (claimed_until);

create table idempotency_keys (
    key        text collate "C" primary key,
    saga_id    text collate "C" not null,
    body_hash  bytea not null,
    created_at timestamptz not null
);
comment on table idempotency_keys is 'Which saga a start under this key made, and the hash of what was asked.';

create table business_keys (
    definition text collate "C" not null,
    key        text collate "C" not null check (key <> ''),
    saga_id    text collate "C" not null,
    primary key (definition, key)
);
comment on table business_keys is 'Keys in use by an unfinished saga of the definition.';

create table dead_letters (
    id           text collate "C" primary key,
    source       text not null,
    queue        text not null,
    reason       text not null,
    message      text not null,
    saga_id      text not null,
    command_id   text not null,
    headers      json,
    body         bytea not null,
    content_type text not null,
    received_at  timestamptz not null
);
comment on table dead_letters is 'Messages that could not be processed, as they came.';

create index dead_letters_newest on dead_letters (received_at, id);

create table api_keys (
    id         text collate "C" primary key,
    name       text not null,
    role       text not null check (role in ('viewer', 'operator', 'admin')),
    hash       bytea not null unique check (length(hash) = 32),
    created_at timestamptz not null,
    revoked_at timestamptz
);
comment on table api_keys is 'API keys by the SHA-256 of their secret, which is not kept.';

-- +goose StatementBegin
create function time_after(since timestamptz, microseconds text) returns timestamptz language sql stable as $$
    select since + trunc(microseconds::numeric)::bigint * interval '1 microsecond'
$$;
-- +goose StatementEnd

create view saga_steps as
select s.id as saga_id, s.definition, s.version, s.status as saga_status, s.created_at as saga_created_at,
       s.finished_at as saga_finished_at,
       step.position, s.step_names[step.position] as name,
       coalesce(step.state ->> 's', 'pending') as status,
       coalesce((step.state ->> 'a')::integer, (step.state ->> 's' is not null)::integer) as attempts,
       coalesce((step.state ->> 'c')::integer, 0) as compensation_attempts,
       time_after(s.created_at, step.state ->> 'b') as started_at,
       time_after(s.created_at, step.state ->> 'f') as finished_at,
       time_after(s.created_at, step.state ->> 'w') as next_attempt_at,
       time_after(s.created_at, step.state ->> 'd') as deadline_at,
       step.state -> 'err' ->> 'code' as error_code,
       step.state -> 'err' ->> 'message' as error_message,
       step.state -> 'o' as output
from sagas s,
     json_array_elements(s.progress -> 's') with ordinality as step (state, position);
comment on view saga_steps is 'A row per step of every saga, for people with psql.';

create view saga_history as
select d.saga_id, d.seq + e.position - 1 as seq, d.at, e.entry ->> 0 as type, coalesce(e.entry ->> 1, '') as step,
       coalesce((e.entry ->> 2)::integer, 0) as attempt, d.actor, e.entry -> 3 as detail
from saga_decisions d, json_array_elements(d.entries) with ordinality as e (entry, position);
comment on view saga_history is 'What happened to each saga, oldest first by seq.';

-- Ends the transaction as a serialization failure when a statement reached fewer rows than it had to. It stands in the
-- statement itself, so that the commit can be sent along without waiting for the count.
-- +goose StatementBegin
create function require_rows(wanted bigint, reached bigint, what text) returns void language plpgsql as $$
begin
    if wanted <> reached then
        raise exception '%: reached % of % rows', what, reached, wanted using errcode = 'serialization_failure';
    end if;
end
$$;
-- +goose StatementEnd

-- +goose Down

drop function require_rows(bigint, bigint, text);
drop view saga_history, saga_steps;
drop function time_after(timestamptz, text);
drop table api_keys, dead_letters, business_keys, idempotency_keys, outbox, saga_decisions, sagas, definitions;
drop type saga_status, attention_reason;
