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
// them sorted.
type load struct {
	batch       record.Batch
	claims      claims
	now         time.Time
	instances   map[string]saga.Instance
	unpublished map[string]map[string]bool
}

func newLoad(batch record.Batch) *load {
	return &load{
		batch:       batch,
		claims:      claims{starts: batch.Starts},
		instances:   make(map[string]saga.Instance, len(batch.SagaIDs)),
		unpublished: make(map[string]map[string]bool),
	}
}

func (l *load) statements() *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`begin`)
	if len(l.batch.Confirmed) > 0 {
		sagas, commands := commandColumns(l.batch.Confirmed)
		b.Queue(`delete from outbox o using unnest($1::text[], $2::text[]) as c (saga_id, command_id)
			where o.saga_id = c.saga_id and o.command_id = c.command_id`, sagas, commands)
	}
	l.claims.queue(b)
	l.queueSagas(b)
	l.queueUnpublished(b)
	// The clock is read after all waiting for locks, so that no transaction decides with an older time than the one
	// before it wrote.
	b.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&l.now) })
	return b
}

func (l *load) queueSagas(b *pgx.Batch) {
	ids := sortedStorable(l.batch.SagaIDs)
	if len(ids) == 0 {
		return
	}
	b.Queue(`select `+sagaColumns+` from sagas s where s.id = any($1) order by s.id for update`, ids).
		Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, scanSaga)
			for _, in := range found {
				l.instances[in.ID] = in
			}
			return err
		})
}

func (l *load) queueUnpublished(b *pgx.Batch) {
	ids := sortedStorable(l.batch.WithOutbox)
	if len(ids) == 0 {
		return
	}
	b.Queue(`select saga_id, command_id from outbox where saga_id = any($1)`, ids).Query(func(rows pgx.Rows) error {
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
	return record.Loaded{Now: l.now.UTC(), Instances: l.instances, Unpublished: l.unpublished, Starts: starts}, nil
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
		if key := [2]string{id.Saga, id.String()}; storable(key[1]) {
			sorted = append(sorted, key)
		}
	}
	slices.SortFunc(sorted, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, key := range sorted {
		sagas, commands = append(sagas, key[0]), append(commands, key[1])
	}
	return sagas, commands
}
