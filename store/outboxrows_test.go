package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// A saga may have any number of rows that SQL has added. Each is compared with the others of its queue once.
func TestTheHeldRowsOfOneSagaAreCountedTogether(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w, d := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
	w.Held = true
	other, id := w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID
	d.exec(`insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason, held_rank)
		select $1, 'reserve/execute/' || g, case when g % 2 = 0 then 'inventory' else 'other' end, now() + g * interval '1 second', '{}', 'infinity',
			false, 0, '', 300 from generate_series(2, 40001) g`, id)
	rows, err := w.OutboxRows(t.Context(), id)
	require.NoError(t, err, "within the limit of a statement")
	require.Len(t, rows, 40_001)
	before := map[string]int64{
		"reserve/execute/1": 1, "reserve/execute/2": 2, "reserve/execute/3": 0, "reserve/execute/5": 1, "reserve/execute/4": 3,
		"reserve/execute/40000": record.MaxBefore, "reserve/execute/40001": record.MaxBefore,
	}
	for _, row := range rows {
		assert.True(t, row.HeldBack)
		if want, known := before[row.CommandID[len(id)+1:]]; known {
			assert.Equal(t, want, row.Before, row.CommandID)
		}
	}
	first, err := w.OutboxRows(t.Context(), other)
	require.NoError(t, err)
	assert.Zero(t, first[0].Before)
}
