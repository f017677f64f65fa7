package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// cancel decides a cancel of a saga on what a batch loads of its outbox.
func (f *Fixture) cancel(id string) (withdrawn []saga.CommandID) {
	f.t.Helper()
	err := f.Transact(f.t.Context(), record.Batch{SagaIDs: []string{id}, WithOutbox: []string{id}},
		func(loaded record.Loaded) (record.Changes, error) {
			withdrawn = nil
			if loaded.Busy[id] {
				return record.Changes{}, nil
			}
			changes, err := f.decideWith(loaded, id, loaded.HeldBack[id], Do(saga.ActionCompensate))
			withdrawn = changes.Withdrawn
			return changes, err
		})
	require.NoError(f.t, err)
	return withdrawn
}

func queueWithdraws(f *Fixture) {
	t := f.t
	f.set(pause)
	held := f.startHeld(0, 0)
	id := sagaOf(held[0])
	assert.Equal(t, []saga.CommandID{Execute(id, "reserve")}, f.cancel(id))
	assert.Equal(t, saga.Compensated, f.Get(id).Status)
	rows, err := f.OutboxRows(t.Context(), id)
	require.NoError(t, err)
	assert.Empty(t, rows)
	f.set(unpause)
	assert.Equal(t, held[1:], f.released(1), "only that of the other saga is sent")
}

func queueKeepsWhatWasSent(t *testing.T, open Open) {
	t.Helper()
	f := NewFixture(t, open(t, time.Millisecond))
	f.set(capAt(1))
	released := sagaOf(f.startHeld(0)[0])
	f.released(1)
	redriven := f.Start(saga.Start{}).ID
	f.confirm(Execute(redriven, "reserve"))
	again := wire.Command{
		ID: Execute(redriven, "reserve"), Definition: "order", Version: 1, Queue: "inventory", CreatedAt: time.Now().UTC(), Body: []byte(`{"data":{}}`), Held: true,
	}
	err := f.Transact(t.Context(), record.Batch{SagaIDs: []string{redriven}}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{Redriven: []wire.Command{again}}, nil
	})
	require.NoError(t, err)
	f.set(pause)
	assert.Eventually(t, func() bool { // its publisher died, so it is held back again
		f.release(10)
		rows, err := f.OutboxRows(t.Context(), released)
		require.NoError(t, err)
		return rows[0].HeldBack
	}, 10*time.Second, time.Millisecond)
	for what, id := range map[string]string{"released": released, "redriven": redriven} {
		assert.Empty(t, f.cancel(id), what)
		assert.Equal(t, saga.StepRunning, f.Get(id).Steps[0].Status, "%s: its outcome is awaited", what)
	}
}

func queueWithdrawsOrReleases(f *Fixture) {
	t := f.t
	held := f.startHeld(make([]uint8, 60)...) // the queue has no settings any more, so they may leave
	released := make(map[string]bool)
	var running sync.WaitGroup
	begun := make(chan struct{}, 1)
	running.Go(func() {
		for range 10 { // some are left in any case
			commands, err := f.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 3})
			assert.NoError(t, err)
			for i := range commands {
				released[commands[i].ID.String()] = true
			}
			select {
			case begun <- struct{}{}:
			default:
			}
		}
	})
	<-begun
	withdrawn := make(map[string]bool)
	for _, last := range slices.Backward(held) { // towards what is released
		for _, command := range f.cancel(sagaOf(last)) {
			withdrawn[command.String()] = true
		}
	}
	running.Wait()
	for _, command := range f.release(100) {
		released[command.ID.String()] = true
	}
	assert.NotEmpty(t, released)
	assert.NotEmpty(t, withdrawn)
	for _, command := range held {
		assert.NotEqual(t, released[command], withdrawn[command], "%s is sent or withdrawn", command)
		step := f.Get(sagaOf(command)).Steps[0].Status
		assert.Equal(t, withdrawn[command], step == saga.StepFailed, "%s is %s", command, step)
	}
}
