package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Saga returns a saga. An unreadable one is returned with its readable part. Errors: record.ErrSagaNotFound.
func (s *Store) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	if !storable(id) {
		return record.StoredSaga{}, fmt.Errorf("read a saga: %w", record.ErrSagaNotFound)
	}
	found := make(map[string]record.StoredSaga, 1)
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select `+sagaColumns+` from sagas s where s.id = $1`, id)
		if err != nil {
			return err
		}
		if err := s.readSagas(rows, func(one record.StoredSaga, _ *sagaRow) { found[id] = one }); err != nil {
			return err
		}
		if err := s.markLacked(ctx, q, found); err != nil {
			return err
		}
		return addParents(ctx, q, found)
	})
	if err == nil && len(found) == 0 {
		err = record.ErrSagaNotFound
	}
	if err != nil {
		return record.StoredSaga{}, fmt.Errorf("read saga %s: %w", id, err)
	}
	return found[id], nil
}

// StartedUnder returns the saga that a start under an idempotency key made, and the hash of that start's body; "" if there is
// none. The saga may be deleted.
func (s *Store) StartedUnder(ctx context.Context, key string) (sagaID string, bodyHash []byte, err error) {
	if !storable(key) {
		return "", nil, nil
	}
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select saga_id, body_hash from idempotency_keys where key = $1`, key)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, []any{&sagaID, &bodyHash}, func() error { return nil })
		return err
	})
	if err != nil {
		return "", nil, fmt.Errorf("look for the start under an idempotency key: %w", err)
	}
	return sagaID, bodyHash, nil
}

// Changed returns the sagas whose revision is higher than the given one, without unreadable ones. Sagas beyond
// record.PageBytes are left for the next call.
func (s *Store) Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error) {
	ids, known := make([]string, 0, len(revisions)), make([]int64, 0, len(revisions))
	for id, revision := range revisions { // in random order, so that each gets its turn
		if storable(id) {
			ids, known = append(ids, id), append(known, revision)
		}
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from (
			select s.id, `+sizeOf("s.data", "s.progress")+` as own,
				sum(`+sizeOf("s.data", "s.progress")+`) over (order by n.position) as total
			from unnest($1::text[], $2::bigint[]) with ordinality as n (id, revision, position)
			join sagas s on s.id = n.id and s.revision > n.revision) sized
		join sagas s on s.id = sized.id where sized.total - sized.own < $3`, ids, known, record.PageBytes)
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	var changed []saga.Instance
	err = s.readSagas(rows, func(found record.StoredSaga, _ *sagaRow) {
		if found.Unreadable == nil {
			changed = append(changed, found.Instance)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	return changed, nil
}
