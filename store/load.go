package store

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// load is the first half of a transaction with locks: what it has found and locked.
//
// All transactions lock in one order: confirmed outbox rows, bulk actions, dead letters, idempotency keys, business keys, sagas, each sorted. A
// batch does not wait for locked sagas: it skips them as busy.
type load struct {
	store       *Store
	batch       record.Batch
	claims      claims
	now         *time.Time
	found       sagas
	unreadable  map[string]record.StoredSaga
	unpublished map[string]map[string]bool
	heldBack    map[string]map[string]bool
	newer       map[string]int
	defined     map[definitionKey]bool
	busy        map[string]bool
	bulkOver    map[record.BulkRef]bool
	lettersGone map[string]bool
	disabled    map[string]bool
}

func newLoad(s *Store, batch record.Batch) *load {
	return &load{
		store:       s,
		batch:       batch,
		claims:      claims{store: s, starts: batch.Starts},
		found:       newSagas(len(batch.SagaIDs)),
		unreadable:  make(map[string]record.StoredSaga),
		unpublished: make(map[string]map[string]bool),
		heldBack:    make(map[string]map[string]bool),
		newer:       make(map[string]int),
		defined:     make(map[definitionKey]bool),
		busy:        make(map[string]bool),
		bulkOver:    make(map[record.BulkRef]bool),
		lettersGone: make(map[string]bool),
		disabled:    make(map[string]bool),
	}
}

func (l *load) statements() *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`begin`)
	queueConfirmed(b, l.batch.Confirmed)
	l.queueBulk(b)
	l.queueRedrives(b)
	l.claims.queue(b)
	l.queueDefinitions(b)
	l.queueSagas(b)
	l.queueUnpublished(b)
	// The clock is read after all waits for locks: a transaction must not decide with an earlier time than the one
	// before it.
	l.now = queueClock(b)
	return b
}

func queueConfirmed(b *pgx.Batch, confirmed []saga.CommandID) {
	if len(confirmed) == 0 {
		return
	}
	sagas, ids := commandColumns(confirmed)
	b.Queue(forRows(len(confirmed), deleteOneCommand, deleteCommands), sagas, ids)
}

// queueClock reads the database's clock. The time is set once the batch was sent.
func queueClock(b *pgx.Batch) *time.Time {
	var now time.Time
	b.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	return &now
}

// queueDefinitions checks that the definitions of the starts exist, and looks for newer versions where a start claims
// the latest.
func (l *load) queueDefinitions(b *pgx.Batch) {
	names, versions, latest := definitionColumnsOf(l.batch.Starts)
	if len(names) == 0 {
		return
	}
	b.Queue(`select n.name, n.version, case when n.latest then coalesce((select max(d.version) from definitions d
				where d.name = n.name and d.version > n.version), 0) else 0 end,
			exists (select from disabled_definitions x where x.name = n.name)
		from unnest($1::text[], $2::integer[], $3::boolean[]) as n (name, version, latest)
		join definitions d on d.name = n.name and d.version = n.version`, names, versions, latest).
		Query(func(rows pgx.Rows) error {
			var key definitionKey
			var newer int
			var disabled bool
			_, err := pgx.ForEachRow(rows, []any{&key.name, &key.version, &newer, &disabled}, func() error {
				l.defined[key] = true
				l.disabled[key.name] = disabled
				if newer > 0 {
					l.newer[key.name] = newer
				}
				return nil
			})
			return err
		})
}

// definitionKey names one version of a definition.
type definitionKey struct {
	name    string
	version int
}

// definitionColumnsOf returns the distinct definitions of starts, one array per column. A start without a version is
// not checked.
func definitionColumnsOf(starts []record.StartClaim) (names []string, versions []int32, latest []bool) {
	type column struct {
		definitionKey
		latest bool
	}
	seen := make(map[column]bool)
	for _, start := range starts {
		c := column{definitionKey{start.Definition, start.Version}, start.Latest}
		if start.Version <= 0 || seen[c] || !storable(start.Definition) || !storableVersion(start.Version) {
			continue
		}
		seen[c] = true
		names, versions = append(names, start.Definition), append(versions, int32(start.Version)) //nolint:gosec // checked
		latest = append(latest, start.Latest)
	}
	return names, versions, latest
}

const (
	// fewSagas is the number of sagas that a batch loads whatever their size.
	fewSagas = 8
	// loadBytes is the total size at which a load ends. The remaining sagas of the batch count as busy.
	loadBytes = 8 << 20
)

// queueSagas loads and locks the unlocked sagas, and finds out which of the others exist. A replica that stalls in a
// transaction blocks only its own sagas.
func (l *load) queueSagas(b *pgx.Batch) {
	ids := sortedStorable(l.batch.SagaIDs)
	if len(ids) == 0 {
		return
	}
	statement, arguments := `select `+sagaColumns+` from sagas s where s.id = any($1) order by s.id for update skip locked`, []any{ids}
	if len(ids) > fewSagas {
		statement = `select ` + sagaColumns + ` from sagas s where s.id = any(array(
				select sized.id from (select i.id, ` + sizeOf("i.data", "i.progress") + ` as own,
					sum(` + sizeOf("i.data", "i.progress") + `) over (order by i.id) as total
					from sagas i where i.id = any($1)) sized
				where sized.total - sized.own < $2))
			order by s.id for update skip locked`
		arguments = append(arguments, loadBytes)
	}
	b.Queue(statement, arguments...).Query(func(rows pgx.Rows) error {
		return l.store.readSagas(rows, func(found record.StoredSaga, row *sagaRow) {
			if found.Unreadable != nil {
				l.unreadable[found.ID] = found
				return
			}
			l.found.add(fenced{found.Instance, row.fence})
		})
	})
	b.Queue(`select s.id from sagas s where s.id = any($1)`, ids).Query(func(rows pgx.Rows) error {
		var id string
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			_, loaded := l.found.instances[id]
			if _, unreadable := l.unreadable[id]; !loaded && !unreadable {
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
	b.Queue(`select o.saga_id, o.saga_id || '/' || o.command, `+neverSent+` from outbox o where o.saga_id = any($1)`, ids).Query(func(rows pgx.Rows) error {
		var sagaID, commandID string
		var heldBack bool
		_, err := pgx.ForEachRow(rows, []any{&sagaID, &commandID, &heldBack}, func() error {
			note(l.unpublished, sagaID, commandID)
			if heldBack {
				note(l.heldBack, sagaID, commandID)
			}
			return nil
		})
		return err
	})
}

func note(in map[string]map[string]bool, sagaID, commandID string) {
	if in[sagaID] == nil {
		in[sagaID] = make(map[string]bool)
	}
	in[sagaID][commandID] = true
}

func (l *load) loaded() (record.Loaded, error) {
	starts, err := l.claims.resolve()
	if err != nil {
		return record.Loaded{}, err
	}
	maps.Copy(l.unreadable, l.claims.unreadable)
	for _, start := range l.batch.Starts {
		outcome := starts[start.SagaID]
		if l.disabled[start.Definition] && !start.Child && (outcome.Kind == record.StartFree || outcome.Kind == record.StartKeyInUse) {
			starts[start.SagaID] = record.StartOutcome{Kind: record.StartDisabled}
		}
		if outcome.Kind == record.StartFree && start.Version > 0 && !l.defined[definitionKey{start.Definition, start.Version}] {
			starts[start.SagaID] = record.StartOutcome{Kind: record.StartUndefined}
		}
	}
	return record.Loaded{
		Now: l.now.UTC(), Instances: l.found.instances, Unreadable: l.unreadable, Unpublished: l.unpublished, HeldBack: l.heldBack,
		Starts: starts, Newer: l.newer, Busy: l.busy, BulkOver: l.bulkOver, LettersGone: l.lettersGone,
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

// commandColumns returns the sagas and the ids of commands, sorted.
func commandColumns(commands []saga.CommandID) (sagas, ids []string) {
	sorted := make([][2]string, 0, len(commands))
	for _, id := range commands {
		if key := [2]string{id.Saga, localID(id)}; storable(key[:]...) {
			sorted = append(sorted, key)
		}
	}
	slices.SortFunc(sorted, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	for _, key := range sorted {
		sagas, ids = append(sagas, key[0]), append(ids, key[0]+"/"+key[1])
	}
	return sagas, ids
}
