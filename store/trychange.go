package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// errUndo ends a transaction that was only a try.
var errUndo = errors.New("only a try")

// TryChange reports why the row of a saga cannot be changed at present, such as a missing right or a trigger. It changes nothing. Error:
// record.ErrSagaNotFound if the row is gone or locked, so that nothing was tried.
func (s *Store) TryChange(ctx context.Context, sagaID string) error {
	var tried int64
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update sagas set wake_at = wake_at where id = any(array(
			select id from sagas where id = $1 for update skip locked))`, sagaID)
		tried = tag.RowsAffected()
		return cmp.Or(err, errUndo)
	})
	switch {
	case errors.Is(err, errUndo) && tried == 0:
		return fmt.Errorf("try to change saga %s: %w", sagaID, record.ErrSagaNotFound)
	case errors.Is(err, errUndo):
		s.changed.note(sagaID, nil, time.Now())
		return nil
	}
	s.changed.note(sagaID, err, time.Now())
	return fmt.Errorf("try to change saga %s: %w", sagaID, err)
}
