package engine_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

var errNoRights = errors.New("permission denied for table sagas")

// sentOutbox is an outbox whose commands are in their queues at once.
type sentOutbox struct {
	nullOutbox

	mu   sync.Mutex
	sent []saga.CommandID
}

func (o *sentOutbox) Dispatch(commands []wire.Command) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range commands {
		o.sent = append(o.sent, commands[i].ID)
	}
}

func (o *sentOutbox) TakeConfirmed(int, int) []saga.CommandID {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.sent
	o.sent = nil
	return taken
}

func (o *sentOutbox) ReturnConfirmed(ids []saga.CommandID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, ids...)
}

// impatient is a saga whose only attempt is short.
func impatient() *saga.Definition {
	return saga.New("impatient").
		Step("reserve", "shop.reserve", saga.CompensatedBy("shop.release"), saga.Timeout(time.Second), saga.Retry(saga.Attempts(1))).
		Step("charge", "shop.charge", saga.Timeout(time.Minute)).
		MustBuild()
}

// sent waits until no command waits in the outbox.
func (b *faultyStore) sent(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		backlog, err := b.Backlog(t.Context())
		require.NoError(t, err)
		return backlog.OutboxPending == 0
	}, 5*time.Second, 5*time.Millisecond)
}

// While a store that answers takes no changes, replies wait in one replica, and the timers of another one go on. When it takes changes
// again, the replies come first: an attempt that was answered in time does not time out.
func TestRepliesThatWaitedForTheStoreComeBeforeTimers(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{Lanes: 1, Outbox: &sentOutbox{}}, impatient(), 40)
	other := &faultyStore{Store: b.Store, loads: map[string]int{}}
	run(t, engine.Config{Store: other, Outbox: nullOutbox{}, Lanes: 1, PollEvery: 50 * time.Millisecond}) // has the timers, too
	b.sent(t)
	changes := func(batch record.Batch) error {
		if len(batch.SagaIDs) > 0 {
			return errNoRights
		}
		return nil
	}
	b.with(func() { b.refuses = changes })
	other.with(func() { other.refuses = changes })
	settled := make(map[string]<-chan bool)
	unanswered, answered := ids[:3], ids[3:]
	for _, id := range answered {
		settled[id] = succeed(e, id)
	}
	due := func() bool {
		in, err := b.Store.Saga(t.Context(), ids[0])
		require.NoError(t, err)
		return time.Since(in.CreatedAt) > 4*time.Second
	}
	require.Eventually(t, due, 10*time.Second, 50*time.Millisecond, "the attempts are over")
	require.Positive(t, e.Health().Parked)

	other.with(func() { other.refuses = nil })
	repaired := time.Now()
	require.Eventually(t, func() bool { return time.Since(repaired) > 2*time.Second }, 5*time.Second, 50*time.Millisecond, "it tries first")
	b.with(func() { b.refuses = nil })
	for _, id := range answered {
		requireSettled(t, settled[id])
		stored, err := b.Store.Saga(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, []saga.StepStatus{saga.StepSucceeded, saga.StepRunning},
			[]saga.StepStatus{stored.Steps[0].Status, stored.Steps[1].Status}, "its reply counts")
	}
	assert.Less(t, time.Since(repaired), 5*time.Second)
	for _, id := range unanswered {
		require.Eventually(t, func() bool {
			stored, err := b.Store.Saga(t.Context(), id)
			require.NoError(t, err)
			return stored.Status == saga.Compensating
		}, 10*time.Second, 20*time.Millisecond, "an attempt without a reply times out")
	}
	assert.Less(t, time.Since(repaired), 10*time.Second)
}

// A saga whose events alone cannot be stored holds back the timers of no other.
func TestASagaThatCannotBeStoredDelaysNoTimers(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{Lanes: 1, Outbox: &sentOutbox{}}, impatient(), 2)
	b.sent(t)
	b.with(func() {
		b.refuses = func(batch record.Batch) error {
			if slices.Contains(batch.SagaIDs, ids[0]) {
				return errNoRights
			}
			return nil
		}
	})
	settled := succeed(e, ids[0])
	require.Eventually(t, func() bool {
		stored, err := b.Store.Saga(t.Context(), ids[1])
		require.NoError(t, err)
		return stored.Status == saga.Compensating
	}, 4*time.Second, 20*time.Millisecond)
	b.with(func() { b.refuses = nil })
	requireSettled(t, settled)
}

// A replica that has an alarm for a later time of a saga wakes it all the same, if another one has changed it and is gone.
func TestAStaleAlarmDelaysNoTimerOfAnotherReplica(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	delayed := saga.New("delayed").Step("reserve", "shop.reserve", saga.Timeout(40*time.Second)).
		Delay("rest", time.Second).Step("charge", "shop.charge").MustBuild()
	_, ids := b.started(t, engine.Config{Lanes: 1, Outbox: &sentOutbox{}, PollEvery: 50 * time.Millisecond}, delayed, 1)
	other := &faultyStore{Store: b.Store, loads: map[string]int{}}
	decides := run(t, engine.Config{Store: other, Outbox: nullOutbox{}, Lanes: 1})
	b.sent(t)
	requireSettled(t, succeed(decides, ids[0]))
	other.with(func() { other.refuses = func(record.Batch) error { return errNoRights } })
	require.Eventually(t, func() bool {
		stored, err := b.Store.Saga(t.Context(), ids[0])
		require.NoError(t, err)
		return stored.Steps[2].Status == saga.StepRunning
	}, 5*time.Second, 20*time.Millisecond)
}

// A replica that cannot store gives its messages back, and takes others again once it can, whatever it knows by then.
func TestAReplicaThatCannotStoreLeavesItsMessages(t *testing.T) {
	t.Parallel()
	for _, knows := range []bool{false, true} {
		b := newFaultyStore(t, memory.Config{})
		e, ids := b.started(t, engine.Config{Lanes: 1, Outbox: &sentOutbox{}}, payment(), 4)
		if knows {
			requireSettled(t, succeed(e, ids[3]))
		}
		b.with(func() { b.refuses = func(record.Batch) error { return errNoRights } })
		settled := []<-chan bool{succeed(e, ids[0]), succeed(e, ids[1]), succeed(e, ids[2])}
		e.AwaitOutage(t.Context())
		for _, one := range settled {
			select {
			case ok := <-one:
				require.False(t, ok, "it was not stored")
			case <-time.After(5 * time.Second):
				require.Fail(t, "a message is kept")
			}
		}
		taking := make(chan struct{})
		go func() {
			defer close(taking)
			e.AwaitStoring(t.Context())
		}()
		require.Never(t, func() bool { return isDone(taking) }, 300*time.Millisecond, 20*time.Millisecond)
		b.with(func() { b.refuses = nil })
		require.Eventually(t, func() bool { return isDone(taking) }, 5*time.Second, 20*time.Millisecond)
		requireSettled(t, succeed(e, ids[0]))
	}
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
