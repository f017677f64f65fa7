package store

import (
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// load is the first half of a transaction: what one try has found, and holds locked.
//
// Locks are taken in one order by everyone: confirmed outbox rows, idempotency keys, business keys, sagas, each of
// them sorted. Nobody waits for the lock of a saga before it is decided.
type load struct {
	batch       record.Batch
	claims      claims
	now         *time.Time
	instances   map[string]saga.Instance
	unpublished map[string]map[string]bool
	newer       map[string]int
	busy        map[string]bool
}

func newLoad(batch record.Batch) *load {
	return &load{
		batch:       batch,
		claims:      claims{starts: batch.Starts},
		instances:   make(map[string]saga.Instance, len(batch.SagaIDs)),
		unpublished: make(map[string]map[string]bool),
		newer:       make(map[string]int),
		busy:        make(map[string]bool),
	}
}

func (l *load) statements() *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`begin`)
	queueConfirmed(b, l.batch.Confirmed)
	l.claims.queue(b)
	l.queueNewer(b)
	l.queueSagas(b)
	l.queueUnpublished(b)
	// The clock is read after all waiting for locks, so that no transaction decides with an older time than the one
	// before it wrote.
	l.now = queueClock(b)
	return b
}

func queueConfirmed(b *pgx.Batch, confirmed []saga.CommandID) {
	if len(confirmed) == 0 {
		return
	}
	sagas, commands := commandColumns(confirmed)
	queueRows(b, len(confirmed), `delete from outbox o using (select unnest($1::text[]) as saga_id, unnest($2::text[]) as command) c
		where o.saga_id = c.saga_id and o.command = c.command`,
		sagas, commands)
}

// queueClock reads the database's clock. The time is there once the batch was sent.
func queueClock(b *pgx.Batch) *time.Time {
	var now time.Time
	b.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	return &now
}

// queueNewer looks for newer versions than those that starts take for the latest.
func (l *load) queueNewer(b *pgx.Batch) {
	names, versions := latestColumns(l.batch.Starts)
	if len(names) == 0 {
		return
	}
	b.Queue(`select d.name, max(d.version) from unnest($1::text[], $2::integer[]) as n (name, version)
		join definitions d on d.name = n.name and d.version > n.version group by d.name`, names, versions).
		Query(func(rows pgx.Rows) error {
			var name string
			var version int
			_, err := pgx.ForEachRow(rows, []any{&name, &version}, func() error {
				l.newer[name] = version
				return nil
			})
			return err
		})
}

// latestColumns are the definitions of which starts take a version for the latest.
func latestColumns(starts []record.StartClaim) (names []string, versions []int32) {
	seen := make(map[string]int)
	for _, start := range starts {
		if start.Version > 0 && seen[start.Definition] != start.Version && storable(start.Definition) {
			seen[start.Definition] = start.Version
			names, versions = append(names, start.Definition), append(versions, int32(start.Version)) //nolint:gosec // checked
		}
	}
	return names, versions
}

// queueSagas loads and locks what nobody else has locked, and looks which of the others are there: a replica that stands
// still in the middle of a transaction should keep nobody from other sagas than its own.
func (l *load) queueSagas(b *pgx.Batch) {
	ids := sortedStorable(l.batch.SagaIDs)
	if len(ids) == 0 {
		return
	}
	b.Queue(`select `+sagaColumns+` from sagas s where s.id = any($1) order by s.id for update skip locked`, ids).
		Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, scanSaga)
			for _, in := range found {
				l.instances[in.ID] = in
			}
			return err
		})
	b.Queue(`select s.id from sagas s where s.id = any($1)`, ids).Query(func(rows pgx.Rows) error {
		var id string
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			if _, loaded := l.instances[id]; !loaded {
				l.busy[id] = true
			}
			return nil
		})
		return err
	})
}

func (l *load) queueUnpublished(b *pgx.Batch) {
	ids := sortedStorable(l.batch.WithOutbox)
	if len(ids) == 0 {
		return
	}
	b.Queue(`select saga_id, saga_id || '/' || command from outbox where saga_id = any($1)`, ids).Query(func(rows pgx.Rows) error {
		var sagaID, commandID string
		_, err := pgx.ForEachRow(rows, []any{&sagaID, &commandID}, func() error {
			if l.unpublished[sagaID] == nil {
				l.unpublished[sagaID] = make(map[string]bool)
			}
			l.unpublished[sagaID][commandID] = true
			return nil
		})
		return err
	})
}

func (l *load) loaded() (record.Loaded, error) {
	starts, err := l.claims.resolve()
	if err != nil {
		return record.Loaded{}, err
	}
	return record.Loaded{
		Now: l.now.UTC(), Instances: l.instances, Unpublished: l.unpublished, Starts: starts, Newer: l.newer,
		Busy: l.busy,
	}, nil
}

func sortedStorable(ids []string) []string {
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if storable(id) {
			kept = append(kept, id)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// commandColumns are the keys of outbox rows as one array per column, sorted.
func commandColumns(ids []saga.CommandID) (sagas, commands []string) {
	sorted := make([][2]string, 0, len(ids))
	for _, id := range ids {
		if key := [2]string{id.Saga, localID(id)}; storable(key[:]...) {
			sorted = append(sorted, key)
		}
	}
	slices.SortFunc(sorted, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, key := range sorted {
		sagas, commands = append(sagas, key[0]), append(commands, key[1])
	}
	return sagas, commands
}
