package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// lacked are the ids of keys that payloads are sealed with and that this replica does not have: others have them.
type lacked []string

// marks are how bytes begin that the keys have sealed.
func (l lacked) marks() [][]byte {
	marks := make([][]byte, len(l))
	for i, id := range l {
		marks[i] = seal.Mark(id)
	}
	return marks
}

// lackedMarks returns how commands begin that this replica leaves to others.
func (s *Store) lackedMarks() [][]byte {
	if known := s.lacked.Load(); known != nil {
		return known.marks()
	}
	return [][]byte{}
}

// notLacked is an SQL condition on the body of a row o of the outbox. Parameter 7 has the marks that this replica leaves to
// others. Each is 20 bytes long.
const notLacked = `(cardinality($7::bytea[]) = 0 or (substring(o.body for 20) = any($7::bytea[])) is not true)`

// leaveLacked gives commands back that keys have sealed which this replica lacks, and returns the other broken ones. It takes no
// more of them. Its error counts those that it gave back.
func (s *Store) leaveLacked(ctx context.Context, broken []claimedRow) (rest []claimedRow, left int, err error) {
	isSealed := func(row claimedRow) bool { return errors.Is(row.fault, seal.ErrSealed) }
	if !slices.ContainsFunc(broken, isSealed) {
		return broken, 0, nil
	}
	switch err := s.lackedKeys(ctx, s.pool); {
	case err == nil:
		return broken, 0, nil
	case !errors.Is(err, record.ErrPayloadKeys):
		return nil, 0, err // their leases end
	}
	var ids []saga.CommandID
	for _, row := range broken {
		sealed, is := errors.AsType[*seal.Error](row.fault)
		if !is || !slices.Contains(*s.lacked.Load(), sealed.Key) {
			rest = append(rest, row)
			continue
		}
		ids = append(ids, row.command.ID)
	}
	if len(ids) == 0 {
		return rest, 0, nil
	}
	sagas, local := localColumns(ids)
	if err := s.changeOutbox(ctx, "free the places of commands", freeAnswered, sagas, local); err != nil {
		return rest, 0, err
	}
	if err := s.ReleaseOutbox(ctx, ids); err != nil {
		return rest, 0, err
	}
	return rest, len(ids), fmt.Errorf("%d commands are left to other replicas: %w: %v", len(ids), record.ErrPayloadKeys, *s.lacked.Load())
}

// markLacked adds record.ErrPayloadKeys to the faults of sagas that cannot be read because this replica lacks their key.
func (s *Store) markLacked(ctx context.Context, q queryer, sagas map[string]record.StoredSaga) error {
	asked := false
	for id, one := range sagas {
		sealed, is := errors.AsType[*seal.Error](one.Unreadable)
		if !is {
			continue
		}
		if !asked {
			if err := s.lackedKeys(ctx, q); err != nil && !errors.Is(err, record.ErrPayloadKeys) {
				return err
			}
			asked = true
		}
		if slices.Contains(*s.lacked.Load(), sealed.Key) {
			one.Unreadable = fmt.Errorf("%w: %w", &record.PayloadKeyError{Key: sealed.Key}, one.Unreadable)
			sagas[id] = one
		}
	}
	return nil
}
