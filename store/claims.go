package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// claims are the starts of a batch and what conflicts with them. A key is claimed by inserting its row: concurrent
// claims wait for that transaction to end.
type claims struct {
	store   *Store
	starts  []record.StartClaim
	taken   map[string]string      // idempotency key that this transaction inserted → saga
	holders map[string]holder      // idempotency key → its holder
	using   map[businessKey]string // business key → saga that holds it
	stored  map[string]saga.Instance
	// unreadable holds those of stored that cannot be read.
	unreadable map[string]record.StoredSaga
}

type holder struct {
	sagaID   string
	bodyHash []byte
}

type businessKey struct{ definition, key string }

// heldKey is a row of business_keys.
type heldKey struct {
	businessKey
	sagaID string
}

func (c *claims) queue(b *pgx.Batch) {
	c.taken, c.holders = make(map[string]string), make(map[string]holder)
	c.using, c.stored = make(map[businessKey]string), make(map[string]saga.Instance)
	c.unreadable = make(map[string]record.StoredSaga)
	if len(c.starts) == 0 {
		return
	}
	keys := c.queueIdempotencyKeys(b)
	c.queueBusinessKeys(b)
	ids := make([]string, len(c.starts))
	for i, start := range c.starts {
		ids[i] = start.SagaID
	}
	b.Queue(`select `+sagaColumns+` from (
			select n.id from unnest($1::text[]) as n (id)
			union select i.saga_id from unnest($2::text[]) as k (key) join idempotency_keys i on i.key = k.key) w
		join sagas s on s.id = w.id`, ids, keys).
		Query(func(rows pgx.Rows) error {
			return c.store.readSagas(rows, func(found record.StoredSaga, _ *sagaRow) {
				c.stored[found.ID] = found.Instance
				if found.Unreadable != nil {
					c.unreadable[found.ID] = found
				}
			})
		})
}

// queueIdempotencyKeys claims the keys and reads their holders. It returns the keys.
func (c *claims) queueIdempotencyKeys(b *pgx.Batch) []string {
	keys, sagas, hashes := idempotencyColumns(withIdempotencyKey(c.starts))
	if len(keys) == 0 {
		return keys
	}
	var key string
	var found holder
	b.Queue(`insert into idempotency_keys (key, saga_id, body_hash, created_at)
		select n.key, n.saga_id, n.body_hash, clock_timestamp()
		from unnest($1::text[], $2::text[], $3::bytea[]) as n (key, saga_id, body_hash)
		on conflict do nothing returning key, saga_id`, keys, sagas, hashes).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&key, &found.sagaID}, func() error {
				c.taken[key] = found.sagaID
				return nil
			})
			return err
		})
	b.Queue(`select key, saga_id, body_hash from idempotency_keys where key = any($1)`, keys).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&key, &found.sagaID, &found.bodyHash}, func() error {
				c.holders[key] = holder{found.sagaID, bytes.Clone(found.bodyHash)}
				return nil
			})
			return err
		})
	return keys
}

// withIdempotencyKey returns the starts that have an idempotency key, sorted by it.
func withIdempotencyKey(starts []record.StartClaim) []record.StartClaim {
	keyed := slices.DeleteFunc(slices.Clone(starts), func(s record.StartClaim) bool { return s.IdempotencyKey == "" })
	slices.SortStableFunc(keyed, func(a, b record.StartClaim) int { return strings.Compare(a.IdempotencyKey, b.IdempotencyKey) })
	return keyed
}

func idempotencyColumns(keyed []record.StartClaim) (keys, sagas []string, hashes [][]byte) {
	keys, sagas, hashes = make([]string, len(keyed)), make([]string, len(keyed)), make([][]byte, len(keyed))
	for i, start := range keyed {
		keys[i], sagas[i], hashes[i] = start.IdempotencyKey, start.SagaID, start.BodyHash
	}
	return keys, sagas, hashes
}

// deleteOrphanedKeys deletes keys whose saga was deleted or ended by hand, or is another's. Every other end of a saga deletes its key.
const deleteOrphanedKeys = `delete from business_keys b
	using (select unnest($1::text[]) as definition, unnest($2::text[]) as key) n
	where b.key = any($2::text[]) and b.definition = n.definition and b.key = n.key
		and not exists (select from sagas s where s.id = b.saga_id and s.finished_at is null
			and s.definition = b.definition and s.key = b.key offset 0)`

// queueBusinessKeys claims the business keys of the starts that hold their idempotency key and are not stored yet.
func (c *claims) queueBusinessKeys(b *pgx.Batch) {
	var definitions, keys, sagas, idempotencyKeys []string
	for _, start := range c.starts {
		if start.Key != "" {
			definitions, keys = append(definitions, start.Definition), append(keys, start.Key)
			sagas, idempotencyKeys = append(sagas, start.SagaID), append(idempotencyKeys, start.IdempotencyKey)
		}
	}
	if len(keys) == 0 {
		return
	}
	b.Queue(deleteOrphanedKeys, definitions, keys)
	// The holder of the idempotency key is a scalar subquery: Postgres 18 would answer an `exists` from a hash of the
	// table.
	b.Queue(`insert into business_keys (definition, key, saga_id)
		select n.definition, n.key, n.saga_id
		from unnest($1::text[], $2::text[], $3::text[], $4::text[]) with ordinality
			as n (definition, key, saga_id, idempotency_key, position)
		where (n.idempotency_key = ''
				or (select i.saga_id from idempotency_keys i where i.key = n.idempotency_key) = n.saga_id)
			and not exists (select from sagas s where s.id = n.saga_id)
		order by n.definition collate "C", n.key collate "C", n.position
		on conflict do nothing`, definitions, keys, sagas, idempotencyKeys)
	b.Queue(`select b.definition, b.key, b.saga_id
		from unnest($1::text[], $2::text[]) as n (definition, key)
		join business_keys b on b.definition = n.definition and b.key = n.key`, definitions, keys).
		Query(func(rows pgx.Rows) error {
			var key businessKey
			var sagaID string
			_, err := pgx.ForEachRow(rows, []any{&key.definition, &key.key, &sagaID}, func() error {
				c.using[key] = sagaID
				return nil
			})
			return err
		})
}

// resolve returns the outcome of each claim. The idempotency key decides before the business key.
func (c *claims) resolve() (map[string]record.StartOutcome, error) {
	outcomes := make(map[string]record.StartOutcome, len(c.starts))
	for _, start := range c.starts {
		outcome, err := c.outcome(start, outcomes)
		if err != nil {
			return nil, fmt.Errorf("claim the keys of saga %s: %w", start.SagaID, err)
		}
		outcomes[start.SagaID] = outcome
	}
	return outcomes, nil
}

func (c *claims) outcome(start record.StartClaim, before map[string]record.StartOutcome) (record.StartOutcome, error) {
	if own, found := c.stored[start.SagaID]; found {
		held, keyed := c.holders[start.IdempotencyKey]
		if keyed && held.sagaID == own.ID && !bytes.Equal(held.bodyHash, start.BodyHash) {
			return record.StartOutcome{Kind: record.StartConflict, Existing: own.ID}, nil
		}
		return record.StartOutcome{Kind: record.StartExists, Existing: own.ID, Instance: own}, nil
	}
	if start.IdempotencyKey != "" {
		held, found := c.holders[start.IdempotencyKey]
		if !found {
			return record.StartOutcome{}, errVanished
		}
		if held.sagaID != start.SagaID {
			return c.heldByAnother(start, held, before), nil
		}
	}
	if start.Key != "" {
		sagaID, found := c.using[businessKey{start.Definition, start.Key}]
		if !found {
			return record.StartOutcome{}, errVanished
		}
		if sagaID != start.SagaID {
			return record.StartOutcome{Kind: record.StartKeyInUse, Existing: sagaID}, nil
		}
	}
	return record.StartOutcome{Kind: record.StartFree}, nil
}

func (c *claims) heldByAnother(
	start record.StartClaim, held holder, before map[string]record.StartOutcome,
) record.StartOutcome {
	if !bytes.Equal(held.bodyHash, start.BodyHash) {
		return record.StartOutcome{Kind: record.StartConflict, Existing: held.sagaID}
	}
	// The holder may be an earlier claim of this batch that failed over its business key: a repetition fails the same
	// way.
	if first, found := before[held.sagaID]; found && first.Kind == record.StartKeyInUse {
		return first
	}
	existing, stored := c.stored[held.sagaID]
	if _, found := before[held.sagaID]; !stored && !found {
		return record.StartOutcome{Kind: record.StartGone, Existing: held.sagaID}
	}
	return record.StartOutcome{Kind: record.StartExists, Existing: held.sagaID, Instance: existing}
}

// unused returns the keys that were claimed for sagas that were not created.
func (c *claims) unused(created map[string]bool) (idempotencyKeys []string, business []heldKey) {
	for key, sagaID := range c.taken {
		if !created[sagaID] {
			idempotencyKeys = append(idempotencyKeys, key)
		}
	}
	for _, start := range c.starts {
		key := businessKey{start.Definition, start.Key}
		_, stored := c.stored[start.SagaID]
		if c.using[key] == start.SagaID && !stored && !created[start.SagaID] {
			business = append(business, heldKey{key, start.SagaID})
		}
	}
	return idempotencyKeys, business
}
