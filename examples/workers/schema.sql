-- The own table of each example, beside that of the barrier. There is no unique constraint on purpose: the barrier alone sees to
-- it that each key has one entry.
CREATE TABLE IF NOT EXISTS ledger (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key    text   NOT NULL, -- saga-idempotency-key
    entry  text   NOT NULL, -- such as charge or refund
    amount bigint NOT NULL,
    ref    bigint           -- the entry that a compensation reverses
);
