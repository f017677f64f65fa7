package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// shortcut is a batch about which this process need not ask before it decides: it remembers the sagas, supposes that the
// keys of starts are free, and tells the time by itself. One round trip then writes what was decided, provided that all
// of it was so: each supposition is a statement that fails the transaction where it does not hold. The batch then goes
// the long way, and nobody has noticed anything.
type shortcut struct {
	batch     record.Batch
	instances map[string]saga.Instance
	now       time.Time
}

// shortcut returns nil where something has to be looked up.
func (s *Store) shortcut(batch record.Batch) *shortcut {
	if len(batch.WithOutbox) > 0 || !distinctKeys(batch.Starts) {
		return nil
	}
	now, told := s.clock.now()
	if !told {
		return nil
	}
	instances, all := s.known.recall(batch.SagaIDs)
	if !all {
		return nil
	}
	for id := range instances {
		if updated := instances[id].UpdatedAt; updated.After(now) {
			now = updated // another replica has written it, whose clock the database was then
		}
	}
	return &shortcut{batch: batch, instances: instances, now: now}
}

// distinctKeys says that no start of the batch stands in the way of another.
func distinctKeys(starts []record.StartClaim) bool {
	idempotencyKeys, keys := make(map[string]bool, len(starts)), make(map[businessKey]bool)
	for _, start := range starts {
		if start.IdempotencyKey != "" && idempotencyKeys[start.IdempotencyKey] ||
			start.Key != "" && keys[businessKey{start.Definition, start.Key}] {
			return false
		}
		idempotencyKeys[start.IdempotencyKey], keys[businessKey{start.Definition, start.Key}] = true, true
	}
	return true
}

// take is one try of the short way. Should what it supposed not hold, nothing is written and the error is one after which
// the long way is tried.
func (c *shortcut) take(ctx context.Context, s *Store, decide func(record.Loaded) (record.Changes, error)) (err error) {
	changes, err := decide(c.loaded())
	if err != nil {
		return s.transact(ctx, c.batch, decide) // about what may be old an error says nothing
	}
	statements, now, err := c.statements(s, changes)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	defer conn.Release() // and closes the connection, should it still be in a transaction
	failpoint.Reach("store/committing")
	err = conn.SendBatch(ctx, statements).Close()
	if err != nil {
		s.known.forget(c.batch.SagaIDs)
		if rolledBack(err) {
			s.known.proved(false)
		}
		rollback(ctx, conn)
		return fmt.Errorf("write and commit: %w", refused(err))
	}
	if now != nil {
		s.clock.observe(*now)
	}
	if len(c.batch.SagaIDs) > 0 {
		s.known.proved(true)
	}
	s.known.keep(changes.Created)
	s.known.keep(changes.Updated)
	return nil
}

func (c *shortcut) loaded() record.Loaded {
	starts := make(map[string]record.StartOutcome, len(c.batch.Starts))
	for _, start := range c.batch.Starts {
		starts[start.SagaID] = record.StartOutcome{Kind: record.StartFree}
	}
	return record.Loaded{Now: c.now, Instances: c.instances, Starts: starts}
}

// statements are the whole transaction, in the order in which everyone takes locks. What is sent as one batch is one
// transaction by itself. Where it reads the clock along, the time is there once it was sent.
func (c *shortcut) statements(s *Store, changes record.Changes) (*pgx.Batch, *time.Time, error) {
	b := &pgx.Batch{}
	queueConfirmed(b, c.batch.Confirmed)
	c.queueKeys(b, changes.Created)
	c.queueVersions(b)
	c.queueUnchanged(b, changes.Updated)
	l := &load{batch: c.batch, instances: c.instances}
	if err := s.queueChanges(b, l, changes); err != nil {
		return nil, nil, err
	}
	var now *time.Time
	if !s.clock.fresh() {
		now = queueClock(b)
	}
	return b, now, nil
}

// queueKeys takes the keys of the sagas that are made, which must be free.
func (c *shortcut) queueKeys(b *pgx.Batch, created []saga.Instance) {
	made := make(map[string]bool, len(created))
	for i := range created {
		made[created[i].ID] = true
	}
	starts := slices.DeleteFunc(slices.Clone(c.batch.Starts), func(s record.StartClaim) bool { return !made[s.SagaID] })
	if keyed := withIdempotencyKey(starts); len(keyed) > 0 {
		keys, sagas, hashes := idempotencyColumns(keyed)
		b.Queue(`with taken as (
				insert into idempotency_keys (key, saga_id, body_hash, created_at)
				select unnest($1::text[]), unnest($2::text[]), unnest($3::bytea[]), clock_timestamp()
				on conflict do nothing returning 1)
			select require_rows($4, count(*), 'take free idempotency keys') from taken`, keys, sagas, hashes, len(keys))
	}
	var held []heldKey
	for _, start := range starts {
		if start.Key != "" {
			held = append(held, heldKey{businessKey{start.Definition, start.Key}, start.SagaID})
		}
	}
	if len(held) > 0 {
		definitions, keys, sagas := keyColumns(held)
		b.Queue(`with taken as (
				insert into business_keys (definition, key, saga_id)
				select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]) on conflict do nothing returning 1)
			select require_rows($4, count(*), 'take free business keys') from taken`, definitions, keys, sagas, len(keys))
	}
}

// queueVersions makes sure that what starts take for the latest version of their definition is.
func (c *shortcut) queueVersions(b *pgx.Batch) {
	names, versions := latestColumns(c.batch.Starts)
	if len(names) == 0 {
		return
	}
	b.Queue(`select require_rows(0, count(*), 'start by the latest version')
		from (select unnest($1::text[]) as name, unnest($2::integer[]) as version) n
		join definitions d on d.name = n.name and d.version > n.version`, names, versions)
}

// queueUnchanged makes sure that also those sagas are as remembered of which it was decided to change nothing.
func (c *shortcut) queueUnchanged(b *pgx.Batch, updated []saga.Instance) {
	unchanged := make(map[string]int64, len(c.instances))
	for id := range c.instances {
		unchanged[id] = c.instances[id].Revision
	}
	for i := range updated {
		delete(unchanged, updated[i].ID)
	}
	if len(unchanged) == 0 {
		return
	}
	ids, revisions := make([]string, 0, len(unchanged)), make([]int64, 0, len(unchanged))
	for id, revision := range unchanged {
		ids, revisions = append(ids, id), append(revisions, revision)
	}
	b.Queue(`select require_rows($3, count(*), 'find sagas at their revision')
		from (select unnest($1::text[]) as id, unnest($2::bigint[]) as revision) n
		join sagas s on s.id = n.id and s.revision = n.revision`, ids, revisions, len(ids))
}
