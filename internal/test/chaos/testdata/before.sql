SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE TYPE public.attention_reason AS ENUM (
    'compensation_exhausted',
    'pivot_unknown',
    'retries_exhausted',
    'late_effect',
    'deadline_exceeded',
    'overdue',
    'step_failed'
);
CREATE TYPE public.saga_status AS ENUM (
    'scheduled',
    'running',
    'compensating',
    'paused',
    'stuck',
    'completed',
    'compensated',
    'abandoned'
);
CREATE FUNCTION public.random_token() RETURNS bigint
    LANGUAGE sql
    AS $$
    select (random() * 9007199254740991)::bigint
$$;
CREATE FUNCTION public.require_rows(wanted bigint, reached bigint, what text) RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
    if wanted <> reached then
        raise exception '%: reached % of % rows', what, reached, wanted using errcode = 'serialization_failure';
    end if;
end
$$;
CREATE FUNCTION public.time_after(since timestamp with time zone, microseconds text) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
    select since + trunc(microseconds::numeric)::bigint * interval '1 microsecond'
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.api_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    role text NOT NULL,
    hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    expires_at timestamp with time zone,
    definitions text[],
    last_used_at timestamp with time zone,
    old_hash bytea,
    old_until timestamp with time zone,
    CONSTRAINT api_keys_definitions_check CHECK ((cardinality(definitions) > 0)),
    CONSTRAINT api_keys_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT api_keys_old_hash_check CHECK ((length(old_hash) = 32)),
    CONSTRAINT api_keys_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'operator'::text, 'admin'::text])))
);
CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    key_id text NOT NULL,
    action text NOT NULL,
    target text NOT NULL COLLATE pg_catalog."C",
    definition text NOT NULL,
    reason text NOT NULL,
    request_id text NOT NULL,
    before json,
    after json,
    seq bigint,
    hash bytea,
    CONSTRAINT audit_check CHECK (((seq IS NULL) = (hash IS NULL))),
    CONSTRAINT audit_hash_check CHECK ((length(hash) = 32))
)
WITH (autovacuum_vacuum_scale_factor='0.02', fillfactor='80');
CREATE TABLE public.audit_chain (
    only_one boolean DEFAULT true NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    first_seq bigint NOT NULL,
    first_hash bytea NOT NULL,
    CONSTRAINT audit_chain_first_hash_check CHECK ((length(first_hash) = 32)),
    CONSTRAINT audit_chain_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT audit_chain_only_one_check CHECK (only_one)
);
ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.bulk_actions (
    id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    action text NOT NULL,
    filter json NOT NULL,
    parameters json NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    rate double precision NOT NULL,
    canary integer NOT NULL,
    stop_after integer NOT NULL,
    stop_base integer DEFAULT 0 NOT NULL,
    status text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    holder text DEFAULT ''::text NOT NULL,
    claimed_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    definitions text[],
    CONSTRAINT bulk_actions_canary_check CHECK ((canary >= 0)),
    CONSTRAINT bulk_actions_kind_check CHECK ((kind = ANY (ARRAY['sagas'::text, 'dead_letters'::text]))),
    CONSTRAINT bulk_actions_rate_check CHECK ((rate >= (0)::double precision)),
    CONSTRAINT bulk_actions_status_check CHECK ((status = ANY (ARRAY['running'::text, 'waiting'::text, 'stopped'::text, 'cancelled'::text, 'completed'::text]))),
    CONSTRAINT bulk_actions_stop_after_check CHECK ((stop_after >= 0)),
    CONSTRAINT bulk_actions_stop_base_check CHECK ((stop_base >= 0))
);
CREATE TABLE public.bulk_items (
    bulk_id text NOT NULL COLLATE pg_catalog."C",
    target text NOT NULL COLLATE pg_catalog."C",
    outcome text,
    message text DEFAULT ''::text NOT NULL,
    at timestamp with time zone,
    CONSTRAINT bulk_items_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text, 'failed'::text])))
);
CREATE TABLE public.business_keys (
    definition text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    saga_id text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT business_keys_key_check CHECK ((key <> ''::text))
);
CREATE TABLE public.dead_letters (
    id text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    queue text NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    saga_id text NOT NULL,
    command_id text NOT NULL,
    headers json,
    body bytea NOT NULL,
    content_type text NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE TABLE public.definitions (
    name text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    hash bytea NOT NULL,
    body json NOT NULL,
    queues text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT definitions_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT definitions_queues_check CHECK ((cardinality(queues) > 0)),
    CONSTRAINT definitions_version_check CHECK ((version > 0))
);
CREATE TABLE public.disabled_definitions (
    name text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL,
    since timestamp with time zone NOT NULL
);
CREATE TABLE public.events (
    at timestamp with time zone NOT NULL,
    seq bigint NOT NULL,
    sink text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL,
    definition text NOT NULL,
    data json NOT NULL,
    CONSTRAINT events_at_check CHECK (isfinite(at)),
    CONSTRAINT events_data_check CHECK ((json_typeof(data) = 'object'::text))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
CREATE TABLE public.idempotency_keys (
    key text NOT NULL COLLATE pg_catalog."C",
    saga_id text NOT NULL COLLATE pg_catalog."C",
    body_hash bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone
);
CREATE TABLE public.installation (
    singleton boolean DEFAULT true NOT NULL,
    id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT installation_id_check CHECK ((id <> ''::text)),
    CONSTRAINT installation_singleton_check CHECK (singleton)
);
CREATE TABLE public.leases (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    claimed_until timestamp with time zone NOT NULL
);
CREATE TABLE public.outbox (
    created_at timestamp with time zone NOT NULL,
    claimed_until timestamp with time zone NOT NULL,
    returned_at timestamp with time zone,
    attempts integer NOT NULL,
    leased boolean NOT NULL,
    saga_id text NOT NULL COLLATE pg_catalog."C",
    command text NOT NULL COLLATE pg_catalog."C",
    queue text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    refused_at timestamp with time zone,
    held_rank smallint,
    CONSTRAINT outbox_attempts_check CHECK ((attempts >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
CREATE TABLE public.queue_health (
    queue text NOT NULL COLLATE pg_catalog."C",
    unhealthy boolean NOT NULL,
    reasons text[] NOT NULL,
    since timestamp with time zone NOT NULL,
    changes bigint NOT NULL,
    CONSTRAINT queue_health_changes_check CHECK ((changes >= 0)),
    CONSTRAINT queue_health_check CHECK ((unhealthy = (cardinality(reasons) > 0))),
    CONSTRAINT queue_health_since_check CHECK (isfinite(since))
);
CREATE TABLE public.queue_places (
    queue text NOT NULL COLLATE pg_catalog."C",
    saga_id text NOT NULL COLLATE pg_catalog."C",
    command text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.queue_problems (
    queue text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    reason text NOT NULL,
    since timestamp with time zone NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    CONSTRAINT queue_problems_kind_check CHECK ((kind <> ''::text))
);
CREATE TABLE public.queue_settings (
    queue text NOT NULL COLLATE pg_catalog."C",
    paused boolean NOT NULL,
    max_out integer,
    rate double precision,
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    controlled_since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    counted_at timestamp with time zone,
    tokens double precision DEFAULT 0 NOT NULL,
    tokens_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT queue_settings_max_out_check CHECK ((max_out > 0)),
    CONSTRAINT queue_settings_rate_check CHECK ((rate > (0)::double precision))
);
CREATE TABLE public.saga_decisions (
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    saga_id text NOT NULL COLLATE pg_catalog."C",
    actor text NOT NULL,
    entries json NOT NULL,
    CONSTRAINT saga_decisions_entries_check CHECK ((json_typeof(entries) = 'array'::text)),
    CONSTRAINT saga_decisions_seq_check CHECK ((seq > 0))
);
CREATE VIEW public.saga_history AS
 SELECT d.saga_id,
    ((d.seq + e."position") - 1) AS seq,
    d.at,
    (e.entry ->> 0) AS type,
    COALESCE((e.entry ->> 1), ''::text) AS step,
    COALESCE(((e.entry ->> 2))::integer, 0) AS attempt,
    d.actor,
    (e.entry -> 3) AS detail
   FROM public.saga_decisions d,
    LATERAL json_array_elements(d.entries) WITH ORDINALITY e(entry, "position");
CREATE TABLE public.saga_schema_version (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.saga_schema_version ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.saga_schema_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.sagas (
    id text NOT NULL COLLATE pg_catalog."C",
    definition text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    priority smallint NOT NULL,
    labels jsonb NOT NULL,
    trace_parent text NOT NULL,
    step_names text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    start_at timestamp with time zone,
    deadline_at timestamp with time zone,
    data json NOT NULL,
    status public.saga_status NOT NULL,
    finished_at timestamp with time zone,
    wake_at timestamp with time zone,
    attention_reason public.attention_reason,
    attention_since timestamp with time zone,
    attention_step text,
    attention_message text,
    revision bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    progress json NOT NULL,
    write_token bigint DEFAULT public.random_token() NOT NULL,
    idempotency_key text,
    CONSTRAINT sagas_active_wakes CHECK (((status > 'compensating'::public.saga_status) OR (wake_at IS NOT NULL))),
    CONSTRAINT sagas_attention_whole CHECK ((num_nulls(attention_reason, attention_since, attention_step, attention_message) = ANY (ARRAY[0, 4]))),
    CONSTRAINT sagas_data_check CHECK ((json_typeof(data) = 'object'::text)),
    CONSTRAINT sagas_ended_or_paused_sleeps CHECK ((((status < 'completed'::public.saga_status) AND (status <> 'paused'::public.saga_status)) OR (wake_at IS NULL))),
    CONSTRAINT sagas_labels_check CHECK ((jsonb_typeof(labels) = 'object'::text)),
    CONSTRAINT sagas_priority_check CHECK (((priority >= 0) AND (priority <= 255))),
    CONSTRAINT sagas_progress_check CHECK ((json_typeof(progress) = 'object'::text)),
    CONSTRAINT sagas_revision_check CHECK ((revision > 0)),
    CONSTRAINT sagas_scheduled_has_start CHECK (((status <> 'scheduled'::public.saga_status) OR (start_at IS NOT NULL))),
    CONSTRAINT sagas_stuck_has_attention CHECK (((status <> 'stuck'::public.saga_status) OR (attention_reason IS NOT NULL))),
    CONSTRAINT sagas_terminal_is_finished CHECK (((status >= 'completed'::public.saga_status) = (finished_at IS NOT NULL))),
    CONSTRAINT sagas_version_check CHECK ((version > 0))
)
WITH (fillfactor='40', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');
CREATE VIEW public.saga_steps AS
 SELECT s.id AS saga_id,
    s.definition,
    s.version,
    s.status AS saga_status,
    s.created_at AS saga_created_at,
    s.finished_at AS saga_finished_at,
    step."position",
    s.step_names[step."position"] AS name,
    COALESCE((step.state ->> 's'::text), 'pending'::text) AS status,
    COALESCE(((step.state ->> 'a'::text))::integer, (((step.state ->> 's'::text) IS NOT NULL))::integer) AS attempts,
    COALESCE(((step.state ->> 'c'::text))::integer, 0) AS compensation_attempts,
    public.time_after(s.created_at, (step.state ->> 'b'::text)) AS started_at,
    public.time_after(s.created_at, (step.state ->> 'f'::text)) AS finished_at,
    public.time_after(s.created_at, (step.state ->> 'w'::text)) AS next_attempt_at,
    public.time_after(s.created_at, (step.state ->> 'd'::text)) AS deadline_at,
    ((step.state -> 'err'::text) ->> 'code'::text) AS error_code,
    ((step.state -> 'err'::text) ->> 'message'::text) AS error_message,
    (step.state -> 'o'::text) AS output
   FROM public.sagas s,
    LATERAL json_array_elements((s.progress -> 's'::text)) WITH ORDINALITY step(state, "position");
CREATE TABLE public.webhook_deliveries (
    webhook text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    due_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_deliveries_attempts_check CHECK ((attempts >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
CREATE TABLE public.webhooks (
    name text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL,
    events text[] NOT NULL,
    secret bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_at timestamp with time zone,
    last_error text DEFAULT ''::text NOT NULL,
    CONSTRAINT webhooks_events_check CHECK ((cardinality(events) > 0)),
    CONSTRAINT webhooks_secret_check CHECK ((length(secret) > 0))
);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-29 09:13:56.192275+00', 'anonymous', '', 'definition.put', 'definitions/single', 'single', '', '01M8K9A76WW5WZNEEDT7JWPJ3M', NULL, '{"version":1}', 1, '\xe0e6c6918abca0bb591e5daf70691d7466efb1a4257840ab8a230dcaf9a7ff62');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-29 09:13:56.215843+00', 'anonymous', '', 'definition.put', 'definitions/linear', 'linear', '', '01M8K9A77PH8MEBBPBYQ8EJMJD', NULL, '{"version":1}', 2, '\xb34850c133ee42d2dafe6f7f6e8d983c6183903949fbf7a3d378949107165f9a');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (3, '2026-11-29 09:13:56.243288+00', 'anonymous', '', 'definition.put', 'definitions/parallel', 'parallel', '', '01M8K9A78JMPG9RVVB16QQTAK9', NULL, '{"version":1}', 3, '\xde33b7eeeebce5415e9cd6a79bf2f8bc7a845dcf19d4d72bb4ea4f6ffa39399e');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (4, '2026-11-29 09:13:56.248811+00', 'anonymous', '', 'definition.put', 'definitions/pivot', 'pivot', '', '01M8K9A78QZ9H1MD83375S4E9R', NULL, '{"version":1}', 4, '\xf045718560a1cd330c1a33a6e8d93f928eec7c375a7ab779be59aa5a93925bf7');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (5, '2026-11-29 09:13:56.278042+00', 'anonymous', '', 'definition.put', 'definitions/brief', 'brief', '', '01M8K9A79HMSNNX2SR1NKACKKT', NULL, '{"version":1}', 5, '\x52091ff4893d61291f3e6bfe6e64fb16626fb7cee30558481cd239cfaa4b3e0e');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (6, '2026-11-29 09:13:56.299958+00', 'anonymous', '', 'definition.put', 'definitions/again', 'again', '', '01M8K9A7AAKMK0S9N37TBJ10EC', NULL, '{"version":1}', 6, '\x61493be7fe89f24efa7a6093186a17d8f0b3650323e3c7f41f47f53a0ad6b6a6');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (7, '2026-11-29 09:13:56.32145+00', 'anonymous', '', 'definition.put', 'definitions/patient', 'patient', '', '01M8K9A7AVF1T83NQ77E2ZQD65', NULL, '{"version":1}', 7, '\x2148b4c40befc4af561da40d3b0c956bc6a86da3ca97dd76e9312dc10776f453');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (8, '2026-11-29 09:13:56.348061+00', 'anonymous', '', 'definition.put', 'definitions/frail', 'frail', '', '01M8K9A7BT4399VQ1NZNG6J5YN', NULL, '{"version":1}', 8, '\x2f98181b33b3e9295c4676527bd6045a7c10018427930817acb8abc8d13883b5');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (9, '2026-11-29 09:13:56.354657+00', 'anonymous', '', 'definition.put', 'definitions/parked', 'parked', '', '01M8K9A7C1DNZ2YWA464K0JQE2', NULL, '{"version":1}', 9, '\xbbd7361e83b7a276501031125c647c9ed7eb4827fc7ae8984b29500a8f7a1beb');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (10, '2026-11-29 09:13:56.359506+00', 'anonymous', '', 'definition.put', 'definitions/steep', 'steep', '', '01M8K9A7C697MSRFSNE12D0NM3', NULL, '{"version":1}', 10, '\xdc5305d36614c69cc94971623708e910cb9c857f1d77e5abc7165cc4e63aeac9');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (11, '2026-11-29 09:13:56.390118+00', 'anonymous', '', 'definition.put', 'definitions/leap', 'leap', '', '01M8K9A7CVWQQ6ESYG594J5TE2', NULL, '{"version":1}', 11, '\xe1260e1d1d98060f9b999e4f488d20d41604cfb735944f2ab354039a8753cfd1');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (12, '2026-11-29 09:13:56.398621+00', 'anonymous', '', 'definition.put', 'definitions/lazy', 'lazy', '', '01M8K9A7DDRG72QK0BXN53KR8V', NULL, '{"version":1}', 12, '\x8b165c42acb7bb12335212776fc3c25f2ba96c9134a2e1b161a26386cae0b84b');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (13, '2026-11-29 09:13:56.411071+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A7DTKG890CSBPY0WY6TT', 'linear', '', '01M8K9A7DTKG890CSBPWTTVN8F', NULL, '{"status":"running","definition":"linear","version":1}', 13, '\xf2199badfcc73eaf8bc7fa23eb2fe4b7cbaeab9d410a9e48b015be4a63bb1e50');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (14, '2026-11-29 09:13:56.600456+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A7KT23DD6N19TQVC9K5G', 'linear', '', '01M8K9A7KT23DD6N19TMN2W3BH', NULL, '{"status":"running","definition":"linear","version":1}', 14, '\x409297aa56e7969b6ff5d27330bbaac46e54c0c2e02ca8f3064b74460546fea3');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (15, '2026-11-29 09:13:56.779871+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A7SC5W082R638ZGX7X4T', 'frail', '', '01M8K9A7SC5W082R638VMT2081', NULL, '{"status":"running","definition":"frail","version":1}', 15, '\x306f1a9ccf1a25ee0fd9bcae96cc1bc36428ba6e90155204522a60c05a5bbaa5');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (16, '2026-11-29 09:13:56.861655+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A7W9BWAJY82PTER4CBTA', 'steep', '', '01M8K9A7W9BWAJY82PTCS2EPFW', NULL, '{"status":"running","definition":"steep","version":1}', 16, '\xece77ffd83f70e1fcf5a0e0172ccf799ad424278527ad974da0ed6a27a38e8ed');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (17, '2026-11-29 09:13:56.945396+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A7YJT5234GANPKFDS996', 'leap', '', '01M8K9A7YJT5234GANPGY1BRFM', NULL, '{"status":"running","definition":"leap","version":1}', 17, '\xc4bb6a79b5cb6c1c158704236b7213971f66b81004a3a72e15c852f7cfec76f2');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (18, '2026-11-29 09:13:57.998279+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A8ZEXB09T42BX6EE534K', 'parked', '', '01M8K9A8ZDA169S7QT9Q2HBDHE', NULL, '{"status":"running","definition":"parked","version":1}', 18, '\x8e948d50bebf83d9ee4122a99568aa0ac5dbdab37b505f4767a0c56c0cfc4db9');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (19, '2026-11-29 09:13:58.050983+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9A9151AED7PHGV289FC2C', 'brief', '', '01M8K9A9151AED7PHGV1Q0G3JW', NULL, '{"status":"running","definition":"brief","version":1}', 19, '\x8da693370e1a633c84e3ee4935657ea6ce302fe8a821a9af70b4bf137e986949');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (20, '2026-11-29 09:13:59.62944+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAJFVQ9TQ2B04PW4G79R', 'lazy', '', '01M8K9AAJFVQ9TQ2B04K5DX56C', NULL, '{"status":"running","definition":"lazy","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (23, '2026-11-29 09:13:59.798006+00', 'anonymous', '', 'saga.pause', 'sagas/01M8K9AAN7RG9P2KMMSBS35X6V', 'lazy', 'for the dump', '01M8K9AAQR9SDPZBHAFFSFVCAF', '{"status":"running","revision":2}', '{"status":"paused","revision":3}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (26, '2026-11-29 09:13:59.869071+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AASY2TD0CHK301YHK8PN', 'lazy', '', '01M8K9AASY2TD0CHK300QRF5Z8', NULL, '{"status":"running","definition":"lazy","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (28, '2026-11-29 09:13:59.952803+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAWEV60RY0RM5AW30FWZ', 'linear', '', '01M8K9AAWEV60RY0RM598V85TJ', NULL, '{"status":"scheduled","definition":"linear","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (21, '2026-11-29 09:13:59.682951+00', 'anonymous', '', 'saga.abandon', 'sagas/01M8K9AAJFVQ9TQ2B04PW4G79R', 'lazy', 'for the dump', '01M8K9AAN0XX7J9G316QNT1V74', '{"status":"running","revision":2}', '{"status":"abandoned","revision":3}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (22, '2026-11-29 09:13:59.690354+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAN7RG9P2KMMSBS35X6V', 'lazy', '', '01M8K9AAN7RG9P2KMMSAN3294W', NULL, '{"status":"running","definition":"lazy","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (25, '2026-11-29 09:13:59.86805+00', 'anonymous', '', 'saga.rewind', 'sagas/01M8K9AAQV5M4FHXCM2RS4QPKD', 'lazy', 'for the dump', '01M8K9AASR048KPQVQ34PWZ4TX', '{"status":"running","revision":3}', '{"status":"compensating","revision":4}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (24, '2026-11-29 09:13:59.800695+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAQV5M4FHXCM2RS4QPKD', 'lazy', '', '01M8K9AAQV5M4FHXCM2RMTVP6Q', NULL, '{"status":"running","definition":"lazy","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (27, '2026-11-29 09:13:59.934945+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAW38R5FYWA6E3XYAEV0', 'lazy', '', '01M8K9AAW38R5FYWA6E1ASZN1D', NULL, '{"status":"running","definition":"lazy","version":1}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (29, '2026-11-29 09:13:59.954071+00', 'anonymous', '', 'saga.start', 'sagas/01M8K9AAWPGZ0CDGKG7NA55W1K', 'linear', '', '01M8K9AAWPGZ0CDGKG7JSM68HC', NULL, '{"status":"running","definition":"linear","version":1}', NULL, NULL);
INSERT INTO public.audit_chain VALUES (true, 19, '\x8da693370e1a633c84e3ee4935657ea6ce302fe8a821a9af70b4bf137e986949', 0, '\x0000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO public.business_keys VALUES ('frail', 'compensation exhausted', '01M8K9A7SC5W082R638ZGX7X4T');
INSERT INTO public.business_keys VALUES ('steep', 'retries exhausted', '01M8K9A7W9BWAJY82PTER4CBTA');
INSERT INTO public.business_keys VALUES ('leap', 'pivot unknown', '01M8K9A7YJT5234GANPKFDS996');
INSERT INTO public.business_keys VALUES ('parked', 'step failed', '01M8K9A8ZEXB09T42BX6EE534K');
INSERT INTO public.business_keys VALUES ('lazy', 'paused', '01M8K9AAN7RG9P2KMMSBS35X6V');
INSERT INTO public.business_keys VALUES ('lazy', 'rewinding', '01M8K9AAQV5M4FHXCM2RS4QPKD');
INSERT INTO public.business_keys VALUES ('lazy', 'compensating', '01M8K9AASY2TD0CHK301YHK8PN');
INSERT INTO public.business_keys VALUES ('lazy', 'retrying', '01M8K9AAW38R5FYWA6E3XYAEV0');
INSERT INTO public.business_keys VALUES ('linear', 'scheduled', '01M8K9AAWEV60RY0RM5AW30FWZ');
INSERT INTO public.business_keys VALUES ('linear', 'command out', '01M8K9AAWPGZ0CDGKG7NA55W1K');
INSERT INTO public.definitions VALUES ('single', 1, '\x9a0dbf2ce97634a2acf657033dc2694125ac001315c529eae2261624b846681d', '{"steps":[{"name":"only","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"2m0s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory}', '2026-11-29 09:13:56.191321+00');
INSERT INTO public.definitions VALUES ('linear', 1, '\x0377bb0f3f5798d446200c76535b5b3e659f59dfc92faa17625e94166754c9a3', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"second","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":["first"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"third","queue":"orders","command":"orders.do","compensation":"orders.compensate","kind":"compensatable","after":["second"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"fourth","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":["third"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,payments,orders}', '2026-11-29 09:13:56.21544+00');
INSERT INTO public.definitions VALUES ('parallel', 1, '\x2767c8a9ce336bfab080be3f1fb2704e8bff0209a9b0cdd3b18cc4d38b2b3b0b', '{"steps":[{"name":"one","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"two","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"three","queue":"orders","command":"orders.do","compensation":"orders.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"join","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":["one","two","three"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,payments,orders}', '2026-11-29 09:13:56.242883+00');
INSERT INTO public.definitions VALUES ('pivot', 1, '\x1e787ef2229379071929c980d79f8700839c3042eadd64d70137f52dd24d9326', '{"steps":[{"name":"reserve","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"charge","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":["reserve"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"confirm","queue":"orders","command":"orders.do","kind":"pivot","after":["charge"],"timeout":"3s","retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"notify","queue":"inventory","command":"inventory.do","kind":"retriable","after":["confirm"],"timeout":"3s","retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,payments,orders}', '2026-11-29 09:13:56.248488+00');
INSERT INTO public.definitions VALUES ('brief', 1, '\xfd2fc98f3bf6d0e61074f8a3708ed03d48fea71b0980ea6d9932c493d06f62c8', '{"steps":[{"name":"only","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"500ms","retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory}', '2026-11-29 09:13:56.277716+00');
INSERT INTO public.definitions VALUES ('again', 1, '\x6d098bebcafeb248ef3efca7a86a0c7a390219bd34ab4152d6882d02e341eb10', '{"steps":[{"name":"only","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"500ms","retry":{"max_attempts":3,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory}', '2026-11-29 09:13:56.299551+00');
INSERT INTO public.definitions VALUES ('patient', 1, '\xa67d71cf8910162cd6315ed0ded5815ab80638b14f1c6d4e5cf87c08a310563f', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"2m0s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"second","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":["first"],"timeout":"2m0s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"third","queue":"orders","command":"orders.do","compensation":"orders.compensate","kind":"compensatable","after":["second"],"timeout":"2m0s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"fourth","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":["third"],"timeout":"2m0s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,payments,orders}', '2026-11-29 09:13:56.316885+00');
INSERT INTO public.definitions VALUES ('frail', 1, '\x246de4e716ded1d8b090cc82eb5b0a080119ef02b810f294d13b13d6dd7cd4d2', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"second","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":["first"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,payments}', '2026-11-29 09:13:56.347733+00');
INSERT INTO public.definitions VALUES ('parked', 1, '\xe7b53e1b3ca7769c007402474025051d9103bc84f951fc9e14ab301a3bf0970c', '{"on_failure":"park","steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory}', '2026-11-29 09:13:56.354319+00');
INSERT INTO public.definitions VALUES ('steep', 1, '\x2b77cb6f2b17e35f2e04360a5c41e8e357d1c36ca15a650bacd89e31e56b521a', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"pivot","queue":"orders","command":"orders.do","kind":"pivot","after":["first"],"timeout":"3s","retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"last","queue":"payments","command":"payments.do","kind":"retriable","after":["pivot"],"timeout":"3s","retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,orders,payments}', '2026-11-29 09:13:56.35914+00');
INSERT INTO public.definitions VALUES ('leap', 1, '\x6ce89882ccf733ea830e9d46cb7891b8ec3d0eb17fbc02c3a6589fd280a0d238', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":50,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"pivot","queue":"orders","command":"orders.do","kind":"pivot","after":["first"],"timeout":"1s","retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}},{"name":"last","queue":"payments","command":"payments.do","kind":"retriable","after":["pivot"],"timeout":"3s","retry":{"max_attempts":1,"initial_interval":"100ms","multiplier":2,"max_interval":"1s","jitter":0}}]}', '{inventory,orders,payments}', '2026-11-29 09:13:56.387491+00');
INSERT INTO public.definitions VALUES ('lazy', 1, '\x6a4e5ec55ad2b11c8728e98541df401c72e36e3ab7b5a81c80e57b371e464777', '{"steps":[{"name":"first","queue":"inventory","command":"inventory.do","compensation":"inventory.compensate","kind":"compensatable","after":[],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"15s","multiplier":2,"max_interval":"1m0s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":5,"initial_interval":"15s","multiplier":2,"max_interval":"1m0s","jitter":0}},{"name":"second","queue":"payments","command":"payments.do","compensation":"payments.compensate","kind":"compensatable","after":["first"],"timeout":"3s","retry":{"max_attempts":5,"initial_interval":"15s","multiplier":2,"max_interval":"1m0s","jitter":0},"compensation_timeout":"3s","compensation_retry":{"max_attempts":5,"initial_interval":"15s","multiplier":2,"max_interval":"1m0s","jitter":0}}]}', '{inventory,payments}', '2026-11-29 09:13:56.398254+00');
INSERT INTO public.idempotency_keys VALUES ('stored completed', '01M8K9A7DTKG890CSBPY0WY6TT', '\xd177a67c7bdbb4440b10edff7b137a3181f1fa8a8b21b86da34519f2f092ad4b', '2026-11-29 09:13:56.420854+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored compensated', '01M8K9A7KT23DD6N19TQVC9K5G', '\xafadb714389efc194e8828f74b8456454e28d482f69a30de61af321d40878ea8', '2026-11-29 09:13:56.605565+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored compensation exhausted', '01M8K9A7SC5W082R638ZGX7X4T', '\x4faa9407fa2a4c2791553dea340c83ac7d1f8e38fd7b3286ed3acb35b40942bd', '2026-11-29 09:13:56.799804+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored retries exhausted', '01M8K9A7W9BWAJY82PTER4CBTA', '\x41fdf0fbdf3c72337f3457519df081aa74089bd675f150ed82fc3517025dc48a', '2026-11-29 09:13:56.875503+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored pivot unknown', '01M8K9A7YJT5234GANPKFDS996', '\x040013ffe6d8fe07af04e6f0c9c89c7428c3130f3740a4b7f647ea07e15078b5', '2026-11-29 09:13:56.947236+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored step failed', '01M8K9A8ZEXB09T42BX6EE534K', '\x5cc45287da6f0d742be436cb11ca0c9ebc14f1cd5726e119dcca081ed083f1aa', '2026-11-29 09:13:57.998775+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored late effect', '01M8K9A9151AED7PHGV289FC2C', '\xdba8a6d68df5485a6ca4975f1012c044663be3dd1cea7537eec6ca14766d1292', '2026-11-29 09:13:58.060635+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored abandoned', '01M8K9AAJFVQ9TQ2B04PW4G79R', '\xc1ada2cd0dc19eb07ad5cac83c21deb7e54d36c84a134dc71ec6ffe1f4374718', '2026-11-29 09:13:59.632518+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored paused', '01M8K9AAN7RG9P2KMMSBS35X6V', '\x00c36a008f3daee9186c4849ea94c406a8eaea3b246f96e7cc3b9bca4d595d1e', '2026-11-29 09:13:59.720226+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored rewinding', '01M8K9AAQV5M4FHXCM2RS4QPKD', '\x6f76addb8c64870e272d56324cf9df7fc6b9ecb32ea44aa6a6d211e042bd858b', '2026-11-29 09:13:59.805697+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored compensating', '01M8K9AASY2TD0CHK301YHK8PN', '\x6c51c237bea72502766cdeeb87b2582a5053065235773211ace104f40d96c237', '2026-11-29 09:13:59.87237+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored retrying', '01M8K9AAW38R5FYWA6E3XYAEV0', '\x049b6cd2eac891c5e0927ef967e25d8540c85d84d360675dd46be1bd592e9af2', '2026-11-29 09:13:59.940165+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored scheduled', '01M8K9AAWEV60RY0RM5AW30FWZ', '\x5888a72dee4a368a6fab4b34db562a7f29fd9df0b66e3997e999f8ac2e5ff361', '2026-11-29 09:13:59.951733+00', NULL);
INSERT INTO public.idempotency_keys VALUES ('stored command out', '01M8K9AAWPGZ0CDGKG7NA55W1K', '\x8627f368dfacc3b2cbae893c0f8a41f9e1976639acf322586851d4215412ddf4', '2026-11-29 09:13:59.959093+00', NULL);
INSERT INTO public.installation VALUES (true, 'c05098ff-decb-4b2a-aca9-08ce2b93bf8a', '2026-11-29 09:13:54.063874+00');
INSERT INTO public.leases VALUES ('events/amqp', 'IU4ZETPDRZ7UA5DK2N4ZVPJGA7', '2026-11-29 09:14:04.675026+00');
INSERT INTO public.leases VALUES ('events/webhooks', '6MUYHSJQODPVMUXTKBEBZJI5DM', '2026-11-29 09:14:04.669841+00');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:56.411071+00', '01M8K9A7DTKG890CSBPY0WY6TT', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:56.528794+00', '01M8K9A7DTKG890CSBPY0WY6TT', '', '[["step.succeeded","first",1],["step.dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:56.550785+00', '01M8K9A7DTKG890CSBPY0WY6TT', '', '[["step.succeeded","second",1],["step.dispatched","third",1]]');
INSERT INTO public.saga_decisions VALUES (7, '2026-11-29 09:13:56.570568+00', '01M8K9A7DTKG890CSBPY0WY6TT', '', '[["step.succeeded","third",1],["step.dispatched","fourth",1]]');
INSERT INTO public.saga_decisions VALUES (9, '2026-11-29 09:13:56.583522+00', '01M8K9A7DTKG890CSBPY0WY6TT', '', '[["step.succeeded","fourth",1],["saga.completed"]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:56.600456+00', '01M8K9A7KT23DD6N19TQVC9K5G', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:56.614022+00', '01M8K9A7KT23DD6N19TQVC9K5G', '', '[["step.succeeded","first",1],["step.dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:56.634171+00', '01M8K9A7KT23DD6N19TQVC9K5G', '', '[["step.succeeded","second",1],["step.dispatched","third",1]]');
INSERT INTO public.saga_decisions VALUES (7, '2026-11-29 09:13:56.659266+00', '01M8K9A7KT23DD6N19TQVC9K5G', '', '[["step.attempt_failed","third",1,{"code":"declined","message":"never"}],["step.failed","third",1,{"code":"declined","message":"never"}],["saga.compensating","third",0,{"code":"declined","message":"never"}],["step.compensation_dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (11, '2026-11-29 09:13:56.724751+00', '01M8K9A7KT23DD6N19TQVC9K5G', '', '[["step.compensated","second",1],["step.compensation_dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (13, '2026-11-29 09:13:56.739191+00', '01M8K9A7KT23DD6N19TQVC9K5G', '', '[["step.compensated","first",1],["saga.compensated"]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:56.779871+00', '01M8K9A7SC5W082R638ZGX7X4T', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:56.814342+00', '01M8K9A7SC5W082R638ZGX7X4T', '', '[["step.succeeded","first",1],["step.dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:56.823326+00', '01M8K9A7SC5W082R638ZGX7X4T', '', '[["step.attempt_failed","second",1,{"code":"declined","message":"never"}],["step.failed","second",1,{"code":"declined","message":"never"}],["saga.compensating","second",0,{"code":"declined","message":"never"}],["step.compensation_dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (9, '2026-11-29 09:13:56.849027+00', '01M8K9A7SC5W082R638ZGX7X4T', '', '[["step.compensation_attempt_failed","first",1,{"action":"compensate","code":"declined","message":"never"}],["step.compensation_failed","first",1,{"action":"compensate","code":"declined","message":"never"}],["saga.attention","first",0,{"message":"step first: its compensation failed (declined: never)","reason":"compensation_exhausted"}],["saga.stuck","first",0,{"message":"step first: its compensation failed (declined: never)","reason":"compensation_exhausted"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:56.861655+00', '01M8K9A7W9BWAJY82PTER4CBTA', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:56.892922+00', '01M8K9A7W9BWAJY82PTER4CBTA', '', '[["step.succeeded","first",1],["step.dispatched","pivot",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:56.910834+00', '01M8K9A7W9BWAJY82PTER4CBTA', '', '[["step.succeeded","pivot",1],["step.dispatched","last",1]]');
INSERT INTO public.saga_decisions VALUES (7, '2026-11-29 09:13:56.924846+00', '01M8K9A7W9BWAJY82PTER4CBTA', '', '[["step.attempt_failed","last",1,{"code":"declined","message":"never"}],["step.failed","last",1,{"code":"declined","message":"never"}],["saga.attention","last",0,{"message":"step last: every attempt failed, and it must succeed (declined: never)","reason":"retries_exhausted"}],["saga.stuck","last",0,{"message":"step last: every attempt failed, and it must succeed (declined: never)","reason":"retries_exhausted"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:56.945396+00', '01M8K9A7YJT5234GANPKFDS996', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:56.956901+00', '01M8K9A7YJT5234GANPKFDS996', '', '[["step.succeeded","first",1],["step.dispatched","pivot",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:57.959382+00', '01M8K9A7YJT5234GANPKFDS996', '', '[["step.timed_out","pivot",1,{"code":"timeout","message":"no reply within 1s"}],["step.unknown","pivot",1,{"code":"timeout","message":"no reply within 1s"}],["saga.attention","pivot",0,{"message":"step pivot: it is unknown whether the pivot took effect (timeout: no reply within 1s)","reason":"pivot_unknown"}],["saga.stuck","pivot",0,{"message":"step pivot: it is unknown whether the pivot took effect (timeout: no reply within 1s)","reason":"pivot_unknown"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:57.998279+00', '01M8K9A8ZEXB09T42BX6EE534K', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:58.0061+00', '01M8K9A8ZEXB09T42BX6EE534K', '', '[["step.attempt_failed","first",1,{"code":"declined","message":"never"}],["step.failed","first",1,{"code":"declined","message":"never"}],["saga.attention","first",0,{"message":"step first: it failed finally, and the definition leaves the decision to an operator (declined: never)","reason":"step_failed"}],["saga.stuck","first",0,{"message":"step first: it failed finally, and the definition leaves the decision to an operator (declined: never)","reason":"step_failed"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:58.050983+00', '01M8K9A9151AED7PHGV289FC2C', 'anonymous', '[["saga.started"],["step.dispatched","only",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:58.563699+00', '01M8K9A9151AED7PHGV289FC2C', '', '[["step.timed_out","only",1,{"code":"timeout","message":"no reply within 500ms"}],["step.unknown","only",1,{"code":"timeout","message":"no reply within 500ms"}],["saga.compensating","only",0,{"code":"timeout","message":"no reply within 500ms"}],["step.compensation_dispatched","only",1]]');
INSERT INTO public.saga_decisions VALUES (7, '2026-11-29 09:13:58.570884+00', '01M8K9A9151AED7PHGV289FC2C', '', '[["step.compensated","only",1],["saga.compensated"]]');
INSERT INTO public.saga_decisions VALUES (9, '2026-11-29 09:13:59.581603+00', '01M8K9A9151AED7PHGV289FC2C', '', '[["step.late_effect","only",1],["saga.attention","only",0,{"message":"step only: it took effect after the saga had counted it as not done","reason":"late_effect"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.62944+00', '01M8K9AAJFVQ9TQ2B04PW4G79R', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:59.643085+00', '01M8K9AAJFVQ9TQ2B04PW4G79R', '', '[["step.attempt_failed","first",1,{"code":"flaky","message":"not this time"}]]');
INSERT INTO public.saga_decisions VALUES (4, '2026-11-29 09:13:59.682951+00', '01M8K9AAJFVQ9TQ2B04PW4G79R', 'anonymous', '[["saga.abandoned","",0,{"reason":"for the dump"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.690354+00', '01M8K9AAN7RG9P2KMMSBS35X6V', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:59.7551+00', '01M8K9AAN7RG9P2KMMSBS35X6V', '', '[["step.attempt_failed","first",1,{"code":"flaky","message":"not this time"}]]');
INSERT INTO public.saga_decisions VALUES (4, '2026-11-29 09:13:59.798006+00', '01M8K9AAN7RG9P2KMMSBS35X6V', 'anonymous', '[["saga.paused","",0,{"reason":"for the dump"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.800695+00', '01M8K9AAQV5M4FHXCM2RS4QPKD', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:59.819528+00', '01M8K9AAQV5M4FHXCM2RS4QPKD', '', '[["step.succeeded","first",1],["step.dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:59.848996+00', '01M8K9AAQV5M4FHXCM2RS4QPKD', '', '[["step.attempt_failed","second",1,{"code":"flaky","message":"not this time"}]]');
INSERT INTO public.saga_decisions VALUES (6, '2026-11-29 09:13:59.86805+00', '01M8K9AAQV5M4FHXCM2RS4QPKD', 'anonymous', '[["saga.rewinding","first",0,{"reason":"for the dump"}],["step.failed","second",1,{"code":"flaky","message":"not this time"}],["step.compensation_dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.869071+00', '01M8K9AASY2TD0CHK301YHK8PN', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (9, '2026-11-29 09:13:59.892596+00', '01M8K9AAQV5M4FHXCM2RS4QPKD', '', '[["step.compensation_attempt_failed","first",1,{"action":"compensate","code":"flaky","message":"not this time"}]]');
INSERT INTO public.saga_decisions VALUES (3, '2026-11-29 09:13:59.89891+00', '01M8K9AASY2TD0CHK301YHK8PN', '', '[["step.succeeded","first",1],["step.dispatched","second",1]]');
INSERT INTO public.saga_decisions VALUES (5, '2026-11-29 09:13:59.91488+00', '01M8K9AASY2TD0CHK301YHK8PN', '', '[["step.attempt_failed","second",1,{"code":"declined","message":"never"}],["step.failed","second",1,{"code":"declined","message":"never"}],["saga.compensating","second",0,{"code":"declined","message":"never"}],["step.compensation_dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.952803+00', '01M8K9AAWEV60RY0RM5AW30FWZ', 'anonymous', '[["saga.scheduled","",0,{"start_at":"2026-11-29T09:14:59.949897747Z"}]]');
INSERT INTO public.saga_decisions VALUES (9, '2026-11-29 09:13:59.933764+00', '01M8K9AASY2TD0CHK301YHK8PN', '', '[["step.compensation_attempt_failed","first",1,{"action":"compensate","code":"flaky","message":"not this time"}]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.934945+00', '01M8K9AAW38R5FYWA6E3XYAEV0', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_decisions VALUES (1, '2026-11-29 09:13:59.954071+00', '01M8K9AAWPGZ0CDGKG7NA55W1K', 'anonymous', '[["saga.started"],["step.dispatched","first",1]]');
INSERT INTO public.saga_schema_version VALUES (1, 0, true, '2026-11-29 09:13:53.726728');
INSERT INTO public.saga_schema_version VALUES (2, 1, true, '2026-11-29 09:13:53.821857');
INSERT INTO public.saga_schema_version VALUES (3, 2, true, '2026-11-29 09:13:54.023465');
INSERT INTO public.saga_schema_version VALUES (4, 3, true, '2026-11-29 09:13:54.090832');
INSERT INTO public.saga_schema_version VALUES (5, 4, true, '2026-11-29 09:13:54.119383');
INSERT INTO public.saga_schema_version VALUES (6, 5, true, '2026-11-29 09:13:54.146432');
INSERT INTO public.saga_schema_version VALUES (7, 6, true, '2026-11-29 09:13:54.166116');
INSERT INTO public.saga_schema_version VALUES (8, 7, true, '2026-11-29 09:13:54.177324');
INSERT INTO public.saga_schema_version VALUES (9, 8, true, '2026-11-29 09:13:54.215179');
INSERT INTO public.saga_schema_version VALUES (10, 9, true, '2026-11-29 09:13:54.260323');
INSERT INTO public.saga_schema_version VALUES (11, 10, true, '2026-11-29 09:13:54.317723');
INSERT INTO public.sagas VALUES ('01M8K9A7KT23DD6N19TQVC9K5G', 'linear', 1, 'compensated', 0, '{}', '', '{first,second,third,fourth}', '2026-11-29 09:13:56.600456+00', NULL, NULL, '{"by-first":1,"by-second":1,"number":0,"script":{"third":"decline"}}', 'compensated', '2026-11-29 09:13:56.739191+00', NULL, NULL, NULL, NULL, NULL, 6, '2026-11-29 09:13:56.739191+00', '{"p":"ended","n":14,"failure":{"step":"third","code":"declined","message":"never"},"s":[{"s":"compensated","e":true,"b":0,"f":138735,"c":1,"o":{"by-first":1}},{"s":"compensated","e":true,"b":13566,"f":124295,"c":1,"o":{"by-second":1}},{"s":"failed","b":33715,"f":58810,"err":{"code":"declined","message":"never"}},{}]}', 9043647368975009163, 'stored compensated');
INSERT INTO public.sagas VALUES ('01M8K9A7DTKG890CSBPY0WY6TT', 'linear', 1, 'completed', 0, '{}', '', '{first,second,third,fourth}', '2026-11-29 09:13:56.411071+00', NULL, NULL, '{"by-first":1,"by-fourth":1,"by-second":1,"by-third":1,"number":0}', 'completed', '2026-11-29 09:13:56.583522+00', NULL, NULL, NULL, NULL, NULL, 5, '2026-11-29 09:13:56.583522+00', '{"p":"ended","n":10,"s":[{"s":"succeeded","b":0,"f":117723,"o":{"by-first":1}},{"s":"succeeded","b":117723,"f":139714,"o":{"by-second":1}},{"s":"succeeded","b":139714,"f":159497,"o":{"by-third":1}},{"s":"succeeded","b":159497,"f":172451,"o":{"by-fourth":1}}]}', 8255731696580057980, 'stored completed');
INSERT INTO public.sagas VALUES ('01M8K9A7W9BWAJY82PTER4CBTA', 'steep', 1, 'retries exhausted', 0, '{}', '', '{first,pivot,last}', '2026-11-29 09:13:56.861655+00', NULL, NULL, '{"by-first":1,"by-pivot":1,"number":0,"script":{"last":"reluctant"}}', 'stuck', NULL, NULL, 'retries_exhausted', '2026-11-29 09:13:56.924846+00', 'last', 'step last: every attempt failed, and it must succeed (declined: never)', 4, '2026-11-29 09:13:56.924846+00', '{"p":"forward","n":10,"s":[{"s":"succeeded","b":0,"f":31267,"o":{"by-first":1}},{"s":"succeeded","b":31267,"f":49179,"o":{"by-pivot":1}},{"s":"failed","b":49179,"f":63191,"err":{"code":"declined","message":"never"}}]}', 6879472098130631917, 'stored retries exhausted');
INSERT INTO public.sagas VALUES ('01M8K9A7SC5W082R638ZGX7X4T', 'frail', 1, 'compensation exhausted', 0, '{}', '', '{first,second}', '2026-11-29 09:13:56.779871+00', NULL, NULL, '{"by-first":1,"number":0,"script":{"first/compensate":"reluctant","second":"decline"}}', 'stuck', NULL, NULL, 'compensation_exhausted', '2026-11-29 09:13:56.849027+00', 'first', 'step first: its compensation failed (declined: never)', 4, '2026-11-29 09:13:56.849027+00', '{"p":"backward","n":12,"failure":{"step":"second","code":"declined","message":"never"},"s":[{"s":"compensation_failed","e":true,"b":0,"f":69156,"c":1,"o":{"by-first":1},"err":{"code":"declined","message":"never"}},{"s":"failed","b":34471,"f":43455,"err":{"code":"declined","message":"never"}}]}', 7992899245115474093, 'stored compensation exhausted');
INSERT INTO public.sagas VALUES ('01M8K9A7YJT5234GANPKFDS996', 'leap', 1, 'pivot unknown', 0, '{}', '', '{first,pivot,last}', '2026-11-29 09:13:56.945396+00', NULL, NULL, '{"by-first":1,"number":0,"script":{"pivot":"mute"}}', 'stuck', NULL, NULL, 'pivot_unknown', '2026-11-29 09:13:57.959382+00', 'pivot', 'step pivot: it is unknown whether the pivot took effect (timeout: no reply within 1s)', 3, '2026-11-29 09:13:57.959382+00', '{"p":"forward","n":8,"s":[{"s":"succeeded","b":0,"f":11505,"o":{"by-first":1}},{"s":"unknown","b":11505,"f":1013986,"err":{"code":"timeout","message":"no reply within 1s"},"uncertain":true},{}]}', 1770784458878989842, 'stored pivot unknown');
INSERT INTO public.sagas VALUES ('01M8K9A8ZEXB09T42BX6EE534K', 'parked', 1, 'step failed', 0, '{}', '', '{first}', '2026-11-29 09:13:57.998279+00', NULL, NULL, '{"number":0,"script":{"first":"reluctant"}}', 'stuck', NULL, NULL, 'step_failed', '2026-11-29 09:13:58.0061+00', 'first', 'step first: it failed finally, and the definition leaves the decision to an operator (declined: never)', 2, '2026-11-29 09:13:58.0061+00', '{"p":"forward","n":6,"s":[{"s":"failed","b":0,"f":7821,"err":{"code":"declined","message":"never"}}]}', 7511876306965881888, 'stored step failed');
INSERT INTO public.sagas VALUES ('01M8K9A9151AED7PHGV289FC2C', 'brief', 1, 'late effect', 0, '{}', '', '{only}', '2026-11-29 09:13:58.050983+00', NULL, NULL, '{"by-only":1,"number":0,"script":{"only":"late"}}', 'compensated', '2026-11-29 09:13:58.570884+00', NULL, 'late_effect', '2026-11-29 09:13:59.581603+00', 'only', 'step only: it took effect after the saga had counted it as not done', 4, '2026-11-29 09:13:59.581603+00', '{"p":"ended","n":10,"failure":{"step":"only","code":"timeout","message":"no reply within 500ms"},"s":[{"s":"compensated","e":true,"b":0,"f":519901,"c":1,"o":{"by-only":1},"err":{"code":"timeout","message":"no reply within 500ms"},"uncertain":true,"late_effect":true}]}', 3169985832673678983, 'stored late effect');
INSERT INTO public.sagas VALUES ('01M8K9AAWEV60RY0RM5AW30FWZ', 'linear', 1, 'scheduled', 0, '{}', '', '{first,second,third,fourth}', '2026-11-29 09:13:59.952803+00', '2026-11-29 09:14:59.949897+00', NULL, '{"number":0}', 'scheduled', NULL, '2026-11-29 09:14:59.949897+00', NULL, NULL, NULL, NULL, 1, '2026-11-29 09:13:59.952803+00', '{"p":"scheduled","n":1,"s":[{},{},{},{}]}', 348769094426546913, 'stored scheduled');
INSERT INTO public.sagas VALUES ('01M8K9AAJFVQ9TQ2B04PW4G79R', 'lazy', 1, 'abandoned', 0, '{}', '', '{first,second}', '2026-11-29 09:13:59.62944+00', NULL, NULL, '{"number":0,"script":{"first":"flaky"}}', 'abandoned', '2026-11-29 09:13:59.682951+00', NULL, NULL, NULL, NULL, NULL, 3, '2026-11-29 09:13:59.682951+00', '{"p":"ended","n":4,"last_action":"01M8K9AAN0XX7J9G316RH7BHNN","s":[{"s":"retrying","b":0,"w":15013645,"err":{"code":"flaky","message":"not this time"}},{}]}', 2943179512740752547, 'stored abandoned');
INSERT INTO public.sagas VALUES ('01M8K9AASY2TD0CHK301YHK8PN', 'lazy', 1, 'compensating', 0, '{}', '', '{first,second}', '2026-11-29 09:13:59.869071+00', NULL, NULL, '{"by-first":1,"number":0,"script":{"first/compensate":"flaky","second":"decline"}}', 'compensating', NULL, '2026-11-29 09:14:02.869071+00', NULL, NULL, NULL, NULL, 4, '2026-11-29 09:13:59.933764+00', '{"p":"backward","n":9,"failure":{"step":"second","code":"declined","message":"never"},"s":[{"s":"compensating","e":true,"b":0,"w":15064693,"c":1,"o":{"by-first":1},"err":{"code":"flaky","message":"not this time"}},{"s":"failed","b":29839,"f":45809,"err":{"code":"declined","message":"never"}}]}', 974696447728888589, 'stored compensating');
INSERT INTO public.sagas VALUES ('01M8K9AAN7RG9P2KMMSBS35X6V', 'lazy', 1, 'paused', 0, '{}', '', '{first,second}', '2026-11-29 09:13:59.690354+00', NULL, NULL, '{"number":0,"script":{"first":"flaky"}}', 'paused', NULL, NULL, NULL, NULL, NULL, NULL, 3, '2026-11-29 09:13:59.798006+00', '{"p":"forward","n":4,"paused":true,"last_action":"01M8K9AAQR9SDPZBHAFJMQZVWY","s":[{"s":"retrying","b":0,"w":15064746,"err":{"code":"flaky","message":"not this time"}},{}]}', 4288323533245365462, 'stored paused');
INSERT INTO public.sagas VALUES ('01M8K9AAQV5M4FHXCM2RS4QPKD', 'lazy', 1, 'rewinding', 0, '{}', '', '{first,second}', '2026-11-29 09:13:59.800695+00', NULL, NULL, '{"by-first":1,"number":0,"script":{"first/compensate":"flaky","second":"flaky"}}', 'compensating', NULL, '2026-11-29 09:14:02.800695+00', NULL, NULL, NULL, NULL, 5, '2026-11-29 09:13:59.892596+00', '{"p":"backward","n":9,"rewind":{"to":"first"},"last_action":"01M8K9AASR048KPQVQ37H2KYPM","s":[{"s":"compensating","e":true,"b":0,"w":15091901,"c":1,"o":{"by-first":1},"err":{"code":"flaky","message":"not this time"}},{"s":"failed","b":18833,"f":67355,"err":{"code":"flaky","message":"not this time"}}]}', 5676652108296577271, 'stored rewinding');
INSERT INTO public.sagas VALUES ('01M8K9AAW38R5FYWA6E3XYAEV0', 'lazy', 1, 'retrying', 0, '{}', '', '{first,second}', '2026-11-29 09:13:59.934945+00', NULL, NULL, '{"number":0,"script":{"first":"flaky"}}', 'running', NULL, '2026-11-29 09:14:02.934945+00', NULL, NULL, NULL, NULL, 1, '2026-11-29 09:13:59.934945+00', '{"p":"forward","n":2,"s":[{"s":"running","b":0,"d":3000000},{}]}', 4883825920061653640, 'stored retrying');
INSERT INTO public.sagas VALUES ('01M8K9AAWPGZ0CDGKG7NA55W1K', 'linear', 1, 'command out', 0, '{}', '', '{first,second,third,fourth}', '2026-11-29 09:13:59.954071+00', NULL, NULL, '{"number":0}', 'running', NULL, '2026-11-29 09:14:02.954071+00', NULL, NULL, NULL, NULL, 1, '2026-11-29 09:13:59.954071+00', '{"p":"forward","n":2,"s":[{"s":"running","b":0,"d":3000000},{},{},{}]}', 2226374273296831113, 'stored command out');
SELECT pg_catalog.setval('public.audit_id_seq', 29, true);
SELECT pg_catalog.setval('public.saga_schema_version_id_seq', 11, true);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_old_hash_key UNIQUE (old_hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_chain
    ADD CONSTRAINT audit_chain_pkey PRIMARY KEY (only_one);
ALTER TABLE ONLY public.bulk_actions
    ADD CONSTRAINT bulk_actions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.bulk_items
    ADD CONSTRAINT bulk_items_pkey PRIMARY KEY (bulk_id, target);
ALTER TABLE ONLY public.business_keys
    ADD CONSTRAINT business_keys_pkey PRIMARY KEY (definition, key);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.definitions
    ADD CONSTRAINT definitions_pkey PRIMARY KEY (name, version);
ALTER TABLE ONLY public.disabled_definitions
    ADD CONSTRAINT disabled_definitions_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (sink, at, subject, seq);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (saga_id, command);
ALTER TABLE ONLY public.queue_health
    ADD CONSTRAINT queue_health_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY public.queue_places
    ADD CONSTRAINT queue_places_pkey PRIMARY KEY (queue, saga_id, command);
ALTER TABLE ONLY public.queue_problems
    ADD CONSTRAINT queue_problems_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY public.queue_settings
    ADD CONSTRAINT queue_settings_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY public.saga_decisions
    ADD CONSTRAINT saga_decisions_pkey PRIMARY KEY (saga_id, seq);
ALTER TABLE ONLY public.saga_schema_version
    ADD CONSTRAINT saga_schema_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sagas
    ADD CONSTRAINT sagas_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook, event_id);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (name);
CREATE UNIQUE INDEX audit_seq ON public.audit USING btree (seq) WHERE (seq IS NOT NULL);
CREATE INDEX audit_target ON public.audit USING btree (target, seq);
CREATE INDEX audit_unsealed ON public.audit USING btree (id) WHERE (seq IS NULL);
CREATE INDEX bulk_actions_running ON public.bulk_actions USING btree (id) WHERE (status = 'running'::text);
CREATE INDEX bulk_items_remaining ON public.bulk_items USING btree (bulk_id, target) WHERE (outcome IS NULL);
CREATE INDEX dead_letters_newest ON public.dead_letters USING btree (received_at, id);
CREATE INDEX idempotency_keys_ended ON public.idempotency_keys USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX outbox_held ON public.outbox USING btree (queue COLLATE "C", held_rank, created_at, saga_id, command) WHERE (held_rank IS NOT NULL);
CREATE INDEX outbox_queue ON public.outbox USING btree (queue COLLATE "C", claimed_until);
CREATE INDEX sagas_attention ON public.sagas USING btree (attention_reason, id) WHERE (attention_reason IS NOT NULL);
CREATE INDEX sagas_by_key ON public.sagas USING btree (key, id) WHERE (key <> ''::text);
CREATE INDEX sagas_created ON public.sagas USING brin (created_at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX sagas_ended ON public.sagas USING btree (definition, status, id) INCLUDE (finished_at) WHERE (finished_at IS NOT NULL);
CREATE INDEX sagas_labels ON public.sagas USING gin (labels jsonb_path_ops) WHERE (labels <> '{}'::jsonb);
CREATE INDEX sagas_seldom ON public.sagas USING btree (status, id) WHERE (status = ANY (ARRAY['scheduled'::public.saga_status, 'compensating'::public.saga_status, 'paused'::public.saga_status, 'stuck'::public.saga_status, 'compensated'::public.saga_status, 'abandoned'::public.saga_status]));
CREATE INDEX sagas_unfinished ON public.sagas USING btree (definition, id) WHERE (finished_at IS NULL);
CREATE INDEX sagas_waking ON public.sagas USING btree (wake_at) WHERE (wake_at IS NOT NULL);
CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (webhook, due_at);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_fkey FOREIGN KEY (webhook) REFERENCES public.webhooks(name) ON DELETE CASCADE;
