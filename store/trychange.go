package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// errUndo ends a transaction that was only a try.
var errUndo = errors.New("only a try")

// TryChange reports why the row of a saga cannot be changed at present, such as a missing right or a trigger. It changes nothing.
func (s *Store) TryChange(ctx context.Context, sagaID string) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update sagas set wake_at = wake_at where id = any(array(
			select id from sagas where id = $1 for update skip locked))`, sagaID)
		return cmp.Or(err, errUndo)
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	s.changed.note(sagaID, err, time.Now())
	return fmt.Errorf("try to change saga %s: %w", sagaID, err)
}
