-- The barrier: what makes a command's effect in this database happen once, whatever is delivered how often and in which
-- order. It belongs into the service's own database; run this file there, as often as you like.
--
-- A worker in any language does each command in ONE transaction (READ COMMITTED), for both directions of a step:
--
--     BEGIN;
--     SELECT saga_barrier_begin(<header saga-idempotency-key>, <header saga-attempt>, <execution>, <waited>);
--       -- execution, of a compensation: "compensates" of the body where it is there, else <saga>/<step>/execute.
--       -- waited, of a compensation: "waited" of the body, else false.
--       -- {"verdict": "run"}: do the work, in this transaction. For a compensation, "output" is what the step returned, if anything;
--       -- that of a step that waited is in the body.
--       -- {"verdict": "reply", "reply": {...}} or {"verdict": "refused", "reply": {...}}: there is nothing to do. COMMIT, then send
--       -- that reply. "refused": the command came after its compensation.
--     SELECT saga_barrier_end(<header saga-idempotency-key>, <the reply that will be sent, as json, jsonb or text>);
--     COMMIT;
--       -- then send the reply, and acknowledge the command when the broker has confirmed it.
--
-- If the work fails after it has changed something: ROLLBACK, then do the same transaction again with no work but the failed
-- reply. (Or set a savepoint before the work, and roll back to it.)
--
-- Without the attempt, a failed reply that is retryable counts for one delivery only: the next one runs. So a late duplicate of
-- an attempt that has failed can still take effect.
--
-- saga_barrier_enter and saga_barrier_leave are the same barrier, with the reply as it was stored, byte by byte. The Go package uses
-- them. Both pairs work on the same rows.
--
-- After an error of the barrier's own statements, and of COMMIT above all, send no reply: whether the work took effect
-- is unknown. Do the whole transaction again, or let the attempt time out; the next one finds out.
--
-- What holds then:
--   * The same command again: the same reply, no second effect. A duplicate that comes while the first is at work waits.
--   * An attempt that was answered with `failed` never takes effect afterwards. A later attempt may.
--   * A compensation of what never took effect undoes nothing, and its command is refused if it comes later.
--   * A compensation done once more (compensate-2) undoes what is there to undo, and nothing twice.
--   * After a rewind, execute-2 is a new effect, and its compensation undoes that one only.
--
-- A worker that leaves the execution out undoes the last execution that is in effect. That is right unless a compensation
-- arrives after an operator has skipped it.
--
-- Rows may be deleted when no message of their saga can come any more; keep them for weeks rather than for days.

SELECT pg_advisory_xact_lock(hashtext('saga_barrier')); -- two services that start at once would collide in the catalog

CREATE TABLE IF NOT EXISTS saga_barrier (
    saga_id    text        NOT NULL,
    step       text        NOT NULL,
    action     text        NOT NULL CHECK (action ~ '^(execute|compensate)(-[0-9]+)?$'),
    -- begun is seen by nobody else: it is the row's state until its transaction ends.
    -- refused and undone are states of an execute row: it must not take effect any more; it did, and was undone.
    outcome    text        NOT NULL CHECK (outcome IN ('begun', 'succeeded', 'failed', 'refused', 'undone')),
    attempt    integer     NOT NULL, -- the last that was answered; 0: none was
    reply      json,
    created_at timestamptz NOT NULL DEFAULT now(),
    compensates text, -- of a compensation: the action of the execution that it is for
    PRIMARY KEY (saga_id, step, action)
);

DO $$
BEGIN -- a table from before rewinds
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'saga_barrier'::regclass AND attname = 'compensates' AND NOT attisdropped) THEN
        ALTER TABLE saga_barrier ADD COLUMN compensates text, DROP CONSTRAINT IF EXISTS saga_barrier_action_check,
            ADD CONSTRAINT saga_barrier_action_check CHECK (action ~ '^(execute|compensate)(-[0-9]+)?$');
    END IF;
END $$;

CREATE INDEX IF NOT EXISTS saga_barrier_created_at ON saga_barrier (created_at);

DROP FUNCTION IF EXISTS saga_barrier_enter(text, integer);
DROP FUNCTION IF EXISTS saga_barrier_begin(text, integer, text);

-- the_wait, of a compensation: the step waited for a signal or a time, so it took effect without a command.
CREATE OR REPLACE FUNCTION saga_barrier_enter(
    the_key text, the_attempt integer, the_execution text, the_wait boolean, OUT reply json, OUT output json)
LANGUAGE plpgsql AS $$
DECLARE
    part   text[] := string_to_array(the_key, '/');
    mine   saga_barrier;
    effect saga_barrier;
    target text;
BEGIN
    IF coalesce(array_length(part, 1), 0) <> 3 THEN
        RAISE EXCEPTION 'saga barrier: want <saga>/<step>/<action>';
    END IF;
    -- Waits for a transaction that has the same key, and then finds its row or, if that was rolled back, takes its place.
    INSERT INTO saga_barrier AS b (saga_id, step, action, outcome, attempt)
    VALUES (part[1], part[2], part[3], 'begun', the_attempt) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO STRICT mine FROM saga_barrier b
        WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3] FOR UPDATE;
        CASE
            WHEN mine.outcome = 'begun' THEN
                RAISE EXCEPTION 'saga barrier: % was entered and not left: by this transaction, or by one that was committed without saga_barrier_end. If the work of that one took effect, call saga_barrier_end with its reply; if not, delete its row of saga_barrier', the_key;
            WHEN mine.outcome IN ('refused', 'undone') THEN
                reply := '{"status":"failed","error":{"code":"compensated_already","message":"the step was compensated before this command came","retryable":false}}';
                RETURN;
            WHEN mine.outcome = 'succeeded' OR the_attempt <= mine.attempt THEN
                reply := mine.reply;
                RETURN;
            ELSE -- a new attempt of what has failed
                UPDATE saga_barrier b SET outcome = 'begun', attempt = the_attempt, reply = NULL
                WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3];
        END CASE;
    END IF;
    IF part[3] ~ '^execute' THEN
        RETURN;
    END IF;
    target := split_part(the_execution, '/', 3);
    IF the_execution IS NULL THEN
        SELECT b.action INTO target FROM saga_barrier b
        WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action ~ '^execute' AND b.outcome = 'succeeded'
        ORDER BY length(b.action) DESC, b.action DESC LIMIT 1;
        target := coalesce(target, 'execute');
    ELSIF split_part(the_execution, '/', 1) <> part[1] OR split_part(the_execution, '/', 2) <> part[2] OR target !~ '^execute(-[0-9]+)?$' THEN
        RAISE EXCEPTION 'saga barrier: want the key of an execution of the same step';
    END IF;
    UPDATE saga_barrier b SET compensates = target
    WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3];

    IF the_wait THEN
        INSERT INTO saga_barrier AS b (saga_id, step, action, outcome, attempt, reply)
        VALUES (part[1], part[2], target, 'succeeded', 0, '{"status":"succeeded"}') ON CONFLICT DO NOTHING;
    END IF;
    -- A compensation: what became of the step? If nothing yet, leave a tombstone in its place.
    INSERT INTO saga_barrier AS b (saga_id, step, action, outcome, attempt)
    VALUES (part[1], part[2], target, 'refused', 0) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO STRICT effect FROM saga_barrier b
        WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = target FOR UPDATE;
        CASE
            WHEN effect.outcome = 'succeeded' THEN
                output := effect.reply -> 'output';
                RETURN;
            WHEN effect.outcome = 'begun' THEN -- and committed: it may have taken effect
                RAISE EXCEPTION 'saga barrier: % was entered and not left, by a transaction that was committed without saga_barrier_end. If its work took effect, call saga_barrier_end with its reply; if not, delete its row of saga_barrier', part[1] || '/' || part[2] || '/' || target;
            ELSE
        END CASE;
        UPDATE saga_barrier b SET outcome = 'refused'
        WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = target AND b.outcome = 'failed';
    END IF;
    reply := '{"status":"succeeded"}';
    PERFORM saga_barrier_leave(the_key, reply);
END $$;

CREATE OR REPLACE FUNCTION saga_barrier_enter(
    the_key text, the_attempt integer, the_execution text DEFAULT NULL, OUT reply json, OUT output json)
LANGUAGE sql AS $$ SELECT e.reply, e.output FROM saga_barrier_enter(the_key, the_attempt, the_execution, false) e $$;

CREATE OR REPLACE FUNCTION saga_barrier_leave(the_key text, the_reply json) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    part   text[] := string_to_array(the_key, '/');
    target text;
BEGIN
    UPDATE saga_barrier b SET outcome = the_reply ->> 'status', reply = the_reply
    WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3] AND b.outcome = 'begun'
    RETURNING b.compensates INTO target;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'saga barrier: % was not entered in this transaction, or was left already: end once, where the verdict was run', the_key;
    END IF;
    IF target IS NOT NULL AND the_reply ->> 'status' = 'succeeded' THEN
        UPDATE saga_barrier b SET outcome = 'undone'
        WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = target AND b.outcome = 'succeeded';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION saga_barrier_begin(
    key text, attempt integer DEFAULT NULL, execution text DEFAULT NULL, waited boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    part   text[] := string_to_array(key, '/');
    number integer := attempt;
    kept   json;
    output json;
BEGIN
    IF (key ~ '^[^/]+/[^/]+/(execute|compensate)(-[0-9]+)?$') IS NOT TRUE THEN
        RAISE EXCEPTION 'saga barrier: key: want <saga>/<step>/<execute or compensate>, the header saga-idempotency-key';
    END IF;
    IF number IS NULL THEN
        SELECT CASE WHEN b.outcome = 'failed' AND (b.reply #> '{error,retryable}')::text IS DISTINCT FROM 'false' THEN b.attempt + 1
            ELSE b.attempt END INTO number
        FROM saga_barrier b WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3];
        number := coalesce(number, 1);
    END IF;
    SELECT e.reply, e.output INTO kept, output FROM saga_barrier_enter(key, number, execution, waited) e;
    IF kept IS NULL AND output IS NULL THEN
        RETURN jsonb_build_object('verdict', 'run');
    ELSIF kept IS NULL THEN
        RETURN jsonb_build_object('verdict', 'run', 'output', output);
    END IF;
    RETURN jsonb_build_object('reply', kept, 'verdict', CASE WHEN EXISTS (
        SELECT FROM saga_barrier b WHERE b.saga_id = part[1] AND b.step = part[2] AND b.action = part[3] AND b.outcome IN ('refused', 'undone')
    ) THEN 'refused' ELSE 'reply' END);
END $$;

CREATE OR REPLACE FUNCTION saga_barrier_end(key text, reply jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(reply ->> 'status', '') NOT IN ('succeeded', 'failed') THEN
        RAISE EXCEPTION 'saga barrier: reply: want an object with the status succeeded or failed';
    END IF;
    PERFORM saga_barrier_leave(key, reply::json);
END $$;

-- Drivers differ in the type that they give to a text.
CREATE OR REPLACE FUNCTION saga_barrier_end(key text, reply json) RETURNS void
LANGUAGE sql AS $$ SELECT saga_barrier_end(key, reply::jsonb) $$;

CREATE OR REPLACE FUNCTION saga_barrier_end(key text, reply text) RETURNS void
LANGUAGE sql AS $$ SELECT saga_barrier_end(key, reply::jsonb) $$;
