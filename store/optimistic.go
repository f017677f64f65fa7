package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// optimistic is a batch decided from cached instances, a few that are read, and an estimated clock, on the assumption that the keys of its
// starts are free, and then written in one round trip. Each assumption is a statement that fails the transaction if it
// does not hold. The batch is then tried again with locks.
type optimistic struct {
	batch   record.Batch
	found   sagas
	missing []string // sagas of the batch that are read first, without locks
	now     time.Time
}

const (
	// mostMissing is the number of sagas that an optimistic batch reads; they are at most a half of the batch.
	mostMissing = 64
	// mostMissingBytes is the size of the documents of a saga that it reads.
	mostMissingBytes = 64 << 10
)

// optimistic returns nil if the batch needs a read.
func (s *Store) optimistic(batch record.Batch) *optimistic {
	if len(batch.WithOutbox)+len(batch.Bulk)+len(batch.Redrives) > 0 || !distinctKeys(batch.Starts) {
		return nil
	}
	now, known := s.clock.now()
	if !known {
		return nil
	}
	found, missing, ok := s.cache.get(batch.SagaIDs)
	if !ok || 2*len(missing) > len(batch.SagaIDs) || len(missing) > mostMissing {
		return nil
	}
	return &optimistic{batch: batch, found: found, missing: missing, now: now}
}

// read reads the sagas that are not cached: another replica has started them. It returns false if one cannot be read, is large,
// or does not exist.
func (o *optimistic) read(ctx context.Context, s *Store) (all bool, err error) {
	if len(o.missing) == 0 {
		return true, nil
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from sagas s
		where s.id = any($1) and `+sizeOf("s.data", "s.progress")+` <= $2`, o.missing, mostMissingBytes)
	if err != nil {
		return false, err
	}
	readable := 0
	err = s.readSagas(rows, func(found record.StoredSaga, row *sagaRow) {
		if found.Unreadable == nil {
			readable++
			o.found.add(fenced{found.Instance, row.fence})
		}
	})
	return readable == len(o.missing), err
}

// distinctKeys reports whether no two starts of the batch share a key.
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

// take tries once. If an assumption does not hold, nothing is written, and the error makes the caller try again with
// locks.
func (o *optimistic) take(ctx context.Context, s *Store, decide func(record.Loaded) (record.Changes, error)) (err error) {
	all, err := o.read(ctx, s)
	if err != nil {
		return fmt.Errorf("read sagas: %w", refused(err))
	}
	if !all {
		return s.transact(ctx, o.batch, decide)
	}
	changes, err := decide(o.loaded())
	if err != nil || len(changes.Abandoned) > 0 {
		return s.transact(ctx, o.batch, decide) // the cache may be stale: decide again with locks
	}
	w := newWrite(s, o.batch, o.found, changes)
	statements, now, err := o.statements(s, w)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("acquire a connection: %w", err)
	}
	defer conn.Release() // it closes the connection if a transaction is still open
	failpoint.Reach("store/committing")
	err = conn.SendBatch(ctx, statements).Close()
	if err != nil {
		if rolledBack(err) {
			s.cache.recordMiss()
		}
		s.evictAfter(err, o.batch.SagaIDs)
		rollback(ctx, conn)
		return fmt.Errorf("write and commit: %w", refused(err))
	}
	if now != nil {
		s.clock.observe(*now)
	}
	if len(o.batch.SagaIDs) > 0 {
		s.cache.recordHit()
	}
	s.cache.keep(changes.Created, w.fence)
	s.cache.keep(changes.Updated, w.fence)
	return nil
}

func (o *optimistic) loaded() record.Loaded {
	starts := make(map[string]record.StartOutcome, len(o.batch.Starts))
	for _, start := range o.batch.Starts {
		starts[start.SagaID] = record.StartOutcome{Kind: record.StartFree}
	}
	return record.Loaded{Now: o.now, Instances: o.found.instances, Starts: starts}
}

// statements returns the whole transaction, in the common order of locks: a pipelined batch is one implicit
// transaction. If it reads the clock, the time is set once the batch was sent.
func (o *optimistic) statements(s *Store, w *write) (*pgx.Batch, *time.Time, error) {
	b := &pgx.Batch{}
	queueConfirmed(b, o.batch.Confirmed)
	o.queueKeys(b, w.changes.Created)
	o.queueDefinitions(b)
	o.queueUnchanged(b, w.changes.Updated)
	if err := w.queue(b); err != nil {
		return nil, nil, err
	}
	var now *time.Time
	if !s.clock.fresh() {
		now = queueClock(b)
	}
	return b, now, nil
}

// queueKeys claims the keys of the created sagas. They must be free.
func (o *optimistic) queueKeys(b *pgx.Batch, created []saga.Instance) {
	made := make(map[string]bool, len(created))
	for i := range created {
		made[created[i].ID] = true
	}
	starts := slices.DeleteFunc(slices.Clone(o.batch.Starts), func(s record.StartClaim) bool { return !made[s.SagaID] })
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

// queueDefinitions checks that the definitions of starts exist, and are the latest where a start claims that.
func (o *optimistic) queueDefinitions(b *pgx.Batch) {
	names, versions, latest := definitionColumnsOf(o.batch.Starts)
	if len(names) == 0 {
		return
	}
	b.Queue(`select require_rows($4, count(*), 'start by stored definitions that are not disabled, the latest where wanted')
		from (select unnest($1::text[]) as name, unnest($2::integer[]) as version, unnest($3::boolean[]) as latest) n
		join definitions d on d.name = n.name and d.version = n.version
		where (not n.latest or not exists (select from definitions later where later.name = n.name and later.version > n.version))
			and not exists (select from disabled_definitions x where x.name = n.name)`,
		names, versions, latest, len(names))
}

// queueUnchanged checks that sagas which the decision does not change are still as cached.
func (o *optimistic) queueUnchanged(b *pgx.Batch, updated []saga.Instance) {
	unchanged := maps.Clone(o.found.fences)
	for i := range updated {
		delete(unchanged, updated[i].ID)
	}
	if len(unchanged) == 0 {
		return
	}
	fences := newFenceColumns(len(unchanged))
	for id, fence := range unchanged {
		fences.add(id, o.found.instances[id].Revision, fence)
	}
	b.Queue(`select require_rows($5, count(*), 'find sagas as they are cached')
		from (select unnest($1::text[]) as id, unnest($2::bigint[]) as revision, unnest($3::bigint[]) as token,
			unnest($4::xid[]) as transaction) n
		join sagas s on s.id = n.id and s.revision = n.revision and s.write_token = n.token and s.xmin = n.transaction`,
		fences.ids, fences.revisions, fences.tokens, fences.transactions, len(fences.ids))
}
