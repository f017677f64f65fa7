package bench

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
)

func TestTheDatabaseMustAgreeWithTheAnswers(t *testing.T) {
	var ended tally
	one := ended.count(
		func(_ context.Context, n int) error {
			if n == 4 {
				return errors.New("no answer")
			}
			return nil
		},
		func(n int) bool { return n >= 3 },
	)
	for n := range 6 { // 0, 1, 2 completed; 3, 5 compensated; 4 failed
		_ = one(t.Context(), n)
	}
	assert.NoError(t, ended.verify(t.Context(), rows{3, 2, 5}))
	assert.Error(t, ended.verify(t.Context(), rows{2, 2, 5}), "one was lost")
	assert.Error(t, ended.verify(t.Context(), rows{3, 1, 4}), "one was lost")
	assert.Error(t, ended.verify(t.Context(), rows{4, 2, 6}), "one exists twice")
	assert.Error(t, ended.verify(t.Context(), rows{3, 2, 6}), "one has not ended")
}

// rows is a database that answers every query with one row.
type rows []int64

func (r rows) QueryRow(context.Context, string, ...any) pgx.Row { return r }

func (r rows) Scan(targets ...any) error {
	for i, target := range targets {
		*target.(*int64) = r[i] //nolint:forcetypeassert // verify scans into int64
	}
	return nil
}
