package operate_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestOldDeadLettersAreDeletedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := memory.Open(memory.Config{})
		require.NoError(t, err)
		defer store.Close()
		put := func(ids ...string) {
			batch := record.Batch{}
			for _, id := range ids {
				batch.DeadLetters = append(batch.DeadLetters, record.DeadLetter{ID: id, Source: record.SourceReply})
			}
			require.NoError(t, store.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
		}
		left := func() (count int) {
			found, _, err := store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 500})
			require.NoError(t, err)
			return len(found)
		}
		ctx, stop := context.WithCancel(t.Context())
		go operate.Expiry{Letters: store, Age: time.Hour, Keep: 200}.Run(ctx)

		var many []string
		for i := range 300 {
			many = append(many, fmt.Sprintf("many-%d", i))
		}
		put(many...)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 200, left(), "beyond the number")
		time.Sleep(50 * time.Minute)
		put("young")
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 1, left(), "beyond the age")
		stop()
		synctest.Wait()
	})
}
