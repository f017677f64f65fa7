package operate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// archive keeps the sagas by their ids.
type archive struct {
	mu    sync.Mutex
	sagas map[string]record.SagaWithHistory
	fail  bool
}

func (a *archive) Write(_ context.Context, sagas []record.SagaWithHistory) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail {
		return errors.New("the disk is full")
	}
	for _, kept := range sagas { // as a reader of the archive does: the highest revision is the last state
		if kept.Revision >= a.sagas[kept.ID].Revision {
			a.sagas[kept.ID] = kept
		}
	}
	return nil
}

// retained drives retention on a store in memory, with virtual time.
type retained struct {
	*storetest.Fixture
	store   *memory.Store
	archive *archive
	mu      sync.Mutex
	deleted map[string]int // by kind
}

func newRetained(t *testing.T) *retained {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	return &retained{
		Fixture: storetest.NewFixture(t, store), store: store,
		archive: &archive{sagas: make(map[string]record.SagaWithHistory)}, deleted: make(map[string]int),
	}
}

func (r *retained) run(ctx context.Context, config operate.RetentionConfig) {
	config.Sagas, config.Letters, config.Holder = r.store, r.store, "me"
	config.Deleted = func(kind string, count int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.deleted[kind] += count
	}
	operate.NewRetention(config).Run(ctx)
}

// finish runs a new saga to completion and confirms its commands.
func (r *retained) finish(t *testing.T, key string) string {
	t.Helper()
	id := storetest.NewID()
	_, err := r.TryStart(r.Claim(id, key, ""), saga.Start{})
	require.NoError(t, err)
	r.Complete(id)
	r.confirm(t, id)
	return id
}

func (r *retained) confirm(t *testing.T, id string) {
	t.Helper()
	var sent []saga.CommandID
	for _, step := range []string{"reserve", "charge", "confirm"} {
		sent = append(sent, storetest.Execute(id, step))
	}
	require.NoError(t, r.Transact(t.Context(), record.Batch{Confirmed: sent},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
}

func (r *retained) left(t *testing.T) map[string]saga.Instance {
	t.Helper()
	found, _, err := r.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	left := make(map[string]saga.Instance)
	for _, one := range found {
		left[one.ID] = one.Instance
	}
	return left
}

func TestOldSagasKeysAndDeadLettersAreDeletedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetained(t)
		var batch record.Batch
		for i := range 300 {
			batch.DeadLetters = append(batch.DeadLetters, record.DeadLetter{ID: fmt.Sprint("d-", i), Source: record.SourceReply})
		}
		require.NoError(t, r.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
		for i := range 450 {
			r.finish(t, fmt.Sprint("key-", i))
		}
		letters := func() int {
			found, _, err := r.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{})
			require.NoError(t, err)
			return len(found)
		}
		ctx, stop := context.WithCancel(t.Context())
		go r.run(ctx, operate.RetentionConfig{
			Archive: r.archive, Completed: time.Hour, KeyAge: 2 * time.Hour, LetterAge: time.Hour, KeepLetters: 200,
		})
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		assert.Len(t, r.left(t), 450)
		assert.Equal(t, 200, letters(), "beyond the number")
		young := r.finish(t, "young")
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		assert.Len(t, r.left(t), 1)
		assert.Zero(t, letters(), "beyond the age")
		assert.Equal(t, map[string]int{operate.KindSagas: 450, operate.KindDeadLetters: 300}, r.deleted)
		outcome, err := r.TryStart(r.Claim(storetest.NewID(), "key-7", ""), saga.Start{})
		require.NoError(t, err)
		assert.Equal(t, record.StartGone, outcome.Kind)
		time.Sleep(time.Hour)
		stop()
		synctest.Wait()
		assert.Len(t, r.archive.sagas, 451)
		assert.Contains(t, r.archive.sagas, young)
		assert.Equal(t, 450, r.deleted[operate.KindKeys])
	})
}

func TestTheLatestVersionOfADefinitionSaysHowLongItsSagasStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetained(t)
		var ids []string
		for range 10 {
			ids = append(ids, r.finish(t, ""))
			time.Sleep(time.Millisecond) // virtual; ids of one millisecond have no order
		}
		for _, round := range []struct {
			retention string
			left      int
		}{
			{`{"completed":{"age":"0"},"undone":{"age":"1s"}}`, 10},
			{`{"completed":{"age":"0","count":7}}`, 7},
			{`{"completed":{"age":"30d","count":3}}`, 3},
			{`{"completed":{"age":"10s"}}`, 0},
		} {
			body := `{"retention":` + round.retention + `,"steps":[{"name":"other","command":"a.b"}]}`
			_, created, err := r.PutDefinition(t.Context(), storetest.Definition(t, "order", body))
			require.NoError(t, err)
			require.True(t, created)
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			r.run(ctx, operate.RetentionConfig{Completed: time.Minute})
			stop()
			left := slices.Sorted(maps.Keys(r.left(t)))
			assert.Equal(t, ids[len(ids)-round.left:], append([]string{}, left...), round.retention)
		}
	})
}

func TestASagaThatCannotBeArchivedStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetained(t)
		id := r.finish(t, "")
		r.archive.fail = true
		run := func() {
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
			defer stop()
			r.run(ctx, operate.RetentionConfig{Archive: r.archive, Completed: time.Second})
		}
		run()
		assert.Contains(t, r.left(t), id)
		r.archive.fail = false
		run()
		assert.NotContains(t, r.left(t), id)
	})
}

func TestOneReplicaDeletesAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetained(t)
		id := r.finish(t, "")
		held, err := r.HoldLease(t.Context(), "retention", "another", 10*time.Minute)
		require.NoError(t, err)
		require.True(t, held)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go r.run(ctx, operate.RetentionConfig{Completed: time.Second})
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		assert.Contains(t, r.left(t), id)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		assert.NotContains(t, r.left(t), id)
		stop()
		synctest.Wait()
	})
}
