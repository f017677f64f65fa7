package store_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// TestKilledBackendsLeaveWholeBatches kills server processes under running batches, each of which pauses or resumes
// several sagas. Whatever an error leaves unknown, a batch must be stored completely or not at all.
func TestKilledBackendsLeaveWholeBatches(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url, ApplicationName: "victim"}))
	const writers, batches = 4, 60
	var failed, committed atomic.Int64
	groups := make([][]string, writers)
	for i := range groups {
		for range 3 {
			groups[i] = append(groups[i], w.Start(saga.Start{}).ID)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var nemesis, work sync.WaitGroup
	killer := connect(t, url)
	nemesis.Go(func() {
		for ctx.Err() == nil {
			_, err := killer.Exec(context.WithoutCancel(ctx), `select pg_terminate_backend(pid), pg_sleep(0.002) from pg_stat_activity
				where application_name = 'victim' and datname = current_database() order by random() limit 1`)
			assert.NoError(t, err)
		}
	})
	for _, ids := range groups {
		work.Go(func() {
			for range batches {
				err := w.Transact(t.Context(), record.Batch{SagaIDs: ids}, func(l record.Loaded) (record.Changes, error) {
					return toggle(w, l, ids)
				})
				if err != nil {
					failed.Add(1)
				} else {
					committed.Add(1)
				}
			}
		})
	}
	work.Wait()
	stop()
	nemesis.Wait()

	calm := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	var revisions int64
	for _, ids := range groups {
		first := calm.Get(ids[0])
		revisions += first.Revision - 1
		for _, id := range ids {
			in := calm.Get(id)
			assert.Equal(t, first.Revision, in.Revision, "the sagas of a batch change together")
			entries, _, err := calm.History(t.Context(), id, record.Page{})
			require.NoError(t, err)
			assert.Len(t, entries, int(in.Entries), "with their history")
		}
	}
	assert.Positive(t, failed.Load(), "the fault must have happened")
	assert.GreaterOrEqual(t, revisions, committed.Load(), "no confirmed batch is lost")
	assert.LessOrEqual(t, revisions, committed.Load()+failed.Load(), "no batch is applied twice")
}

func toggle(w *storetest.Fixture, l record.Loaded, ids []string) (record.Changes, error) {
	var all record.Changes
	for _, id := range ids {
		action := saga.ActionPause
		if l.Instances[id].Status == saga.Paused {
			action = saga.ActionResume
		}
		changes, err := w.Decide(l, id, storetest.Do(action))
		if err != nil {
			return all, err
		}
		all.Updated = append(all.Updated, changes.Updated...)
		all.Entries = append(all.Entries, changes.Entries...)
		all.Commands = append(all.Commands, changes.Commands...)
	}
	return all, nil
}
