package bench

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
)

func TestTheDatabaseMustSayWhatTheAnswersSaid(t *testing.T) {
	var told tally
	one := told.count(
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
	assert.NoError(t, told.verify(t.Context(), rows{3, 2, 5}))
	assert.Error(t, told.verify(t.Context(), rows{2, 2, 5}), "one was lost")
	assert.Error(t, told.verify(t.Context(), rows{3, 1, 4}), "one was lost")
	assert.Error(t, told.verify(t.Context(), rows{4, 2, 6}), "one is there twice")
	assert.Error(t, told.verify(t.Context(), rows{3, 2, 6}), "one has not ended")
}

// rows is a database with one answer.
type rows []int64

func (r rows) QueryRow(context.Context, string, ...any) pgx.Row { return r }

func (r rows) Scan(targets ...any) error {
	for i, target := range targets {
		*target.(*int64) = r[i] //nolint:forcetypeassert // so it is asked for
	}
	return nil
}
