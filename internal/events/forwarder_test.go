package events_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/events"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// subscriber takes events, and refuses those that refuse selects.
type subscriber struct {
	refuse func(e *wire.Event) error

	mu  sync.Mutex
	got []wire.Event
}

func (s *subscriber) PublishEvents(_ context.Context, all []wire.Event) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults := make([]error, len(all))
	for i := range all {
		if s.refuse != nil {
			faults[i] = s.refuse(&all[i])
		}
		if faults[i] == nil {
			s.got = append(s.got, all[i])
		}
	}
	return faults
}

func (s *subscriber) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.got))
	for i := range s.got {
		ids[i] = s.got[i].ID()
	}
	return ids
}

// inOrder checks that the first arrival of each event comes after that of the earlier ones of its subject.
func (s *subscriber) inOrder(t *testing.T) {
	t.Helper()
	last := make(map[string]int64)
	for _, e := range s.got {
		require.LessOrEqual(t, e.Seq, last[e.Subject]+1, "%s came before an earlier one", e.ID())
		last[e.Subject] = max(last[e.Subject], e.Seq)
	}
}

func open(t *testing.T) *memory.Store {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

// put stores events of subjects a, b, … with numbers from 1 to each.
func put(t *testing.T, store *memory.Store, subjects, each int) {
	t.Helper()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := store.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) {
		var changes record.Changes
		for seq := range each {
			for subject := range subjects {
				changes.Events = append(changes.Events, record.Event{Sink: record.SinkAMQP, Event: wire.Event{
					Subject: fmt.Sprint("s", subject), Seq: int64(seq) + 1, Type: "saga.started", At: at.Add(time.Duration(seq) * time.Second),
					Definition: "d", Data: []byte("{}"),
				}})
			}
		}
		return changes, nil
	})
	require.NoError(t, err)
}

func forwarder(store events.Rows, to events.Publisher, holder string) *events.Forwarder {
	return events.New(events.Config{Name: record.SinkAMQP, Rows: store, Publisher: to, Holder: holder})
}

func left(t *testing.T, store *memory.Store) []record.Event {
	t.Helper()
	found, err := store.NextEvents(t.Context(), record.SinkAMQP, 10_000)
	require.NoError(t, err)
	return found
}

func TestEventsLeaveInTheOrderOfTheirSaga(t *testing.T) {
	t.Parallel()
	store, to := open(t), &subscriber{}
	put(t, store, 300, 5)
	f := forwarder(store, to, "one")
	for f.Forward(t.Context()) {
	}
	require.Len(t, to.got, 1500)
	to.inOrder(t)
	require.Empty(t, left(t, store))
}

func TestAnEventThatIsNotTakenDelaysOnlyItsOwnSaga(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, away := open(t), true
		to := &subscriber{refuse: func(e *wire.Event) error {
			if away && e.Subject == "s1" && e.Seq == 2 {
				return errors.New("not now")
			}
			return nil
		}}
		put(t, store, 3, 4)
		f := forwarder(store, to, "one")
		f.Forward(t.Context())
		waiting := left(t, store)
		require.Len(t, waiting, 3, "the second of s1 and those after it")
		require.Len(t, to.got, 9)
		away = false
		time.Sleep(time.Second)
		f.Forward(t.Context())
		require.Empty(t, left(t, store))
		to.inOrder(t)
	})
}

// Two replicas, failures at random, and deaths between the publication and the deletion: no event is lost, and the first
// arrivals of each saga are in order.
func TestNoEventIsLostOrOvertaken(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			store := open(t)
			to := &subscriber{refuse: func(*wire.Event) error {
				if random.IntN(4) == 0 {
					return errors.New("away")
				}
				return nil
			}}
			put(t, store, 20, 6)
			rows := &forgetful{Store: store, random: random}
			replicas := []*events.Forwarder{forwarder(rows, to, "one"), forwarder(rows, to, "two")}
			for range 2000 {
				replicas[random.IntN(2)].Forward(t.Context())
				time.Sleep(time.Duration(random.IntN(3)) * time.Second) // leases end
				if len(left(t, store)) == 0 {
					break
				}
			}
			require.Empty(t, left(t, store))
			to.inOrder(t)
			ids := to.ids()
			slices.Sort(ids)
			require.Len(t, slices.Compact(ids), 120)
		})
	}
}

// forgetful fails now and then to delete what was published, as a process that dies does.
type forgetful struct {
	*memory.Store
	random *rand.Rand
}

func (r *forgetful) ForgetEvents(ctx context.Context, sink record.Sink, taken []record.Event) error {
	if r.random.IntN(3) == 0 {
		return errors.New("lost")
	}
	return r.Store.ForgetEvents(ctx, sink, taken)
}

func TestOneReplicaForwardsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, first, second := open(t), &subscriber{}, &subscriber{}
		one, two := forwarder(store, first, "one"), forwarder(store, second, "two")
		put(t, store, 1, 1)
		one.Forward(t.Context())
		put(t, store, 2, 1)
		two.Forward(t.Context())
		require.Empty(t, second.ids(), "the other one leads")
		time.Sleep(6 * time.Second) // it died
		two.Forward(t.Context())
		require.Equal(t, []string{"s0/1", "s1/1"}, second.ids())
	})
}

func TestAForwarderThatStopsHandsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, to := open(t), &subscriber{}
		ctx, cancel := context.WithCancel(t.Context())
		one := forwarder(store, to, "one")
		var running sync.WaitGroup
		running.Go(func() { one.Run(ctx) })
		put(t, store, 1, 1)
		one.Stored()
		time.Sleep(200 * time.Millisecond)
		require.Len(t, to.ids(), 1)
		cancel()
		running.Wait()
		put(t, store, 2, 1)
		time.Sleep(time.Millisecond)
		forwarder(store, to, "two").Forward(t.Context())
		require.Equal(t, "s0/1 s0/1 s1/1", strings.Join(to.ids(), " "))
	})
}
