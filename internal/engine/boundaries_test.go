package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// faultyStore has unreadable rows, missing definitions, and batches that it refuses.
type faultyStore struct {
	*memory.Store

	mu          sync.Mutex
	unreadable  map[string]bool
	spoiled     map[string]bool  // edited by hand: they break an invariant
	definitions map[string]error // by name
	refuses     func(record.Batch) error
	batches     []int // number of sagas and starts in each batch that was tried
	loads       map[string]int
	extra       []record.DueSaga
	rounds      int  // polls
	lacksKey    bool // that is why rows are unreadable
	answersLost int  // commits whose answer is an error
}

func newFaultyStore(t *testing.T, config memory.Config) *faultyStore {
	t.Helper()
	store, err := memory.Open(config)
	require.NoError(t, err)
	return &faultyStore{Store: store, unreadable: map[string]bool{}, spoiled: map[string]bool{}, definitions: map[string]error{}, loads: map[string]int{}}
}

func (b *faultyStore) with(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *faultyStore) Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error {
	b.mu.Lock()
	var refusal error
	if b.refuses != nil {
		refusal = b.refuses(batch)
	}
	if n := len(batch.SagaIDs) + len(batch.Starts); n > 0 {
		b.batches = append(b.batches, n)
	}
	for _, id := range batch.SagaIDs {
		b.loads[id]++
	}
	b.mu.Unlock()
	if refusal != nil {
		return refusal
	}
	err := b.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		b.mu.Lock()
		for _, id := range batch.SagaIDs {
			if b.unreadable[id] {
				loaded.Unreadable[id] = unread(loaded.Instances[id], b.lacksKey)
				delete(loaded.Instances, id)
			}
			if in, found := loaded.Instances[id]; found && b.spoiled[id] && !in.Status.Terminal() {
				in.Steps = slices.Clone(in.Steps)
				in.Steps[1].Status = saga.StepCompensated
				loaded.Instances[id] = in
			}
		}
		b.mu.Unlock()
		return decide(loaded)
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.answersLost > 0 {
		b.answersLost--
		return errors.New("the connection broke after the commit")
	}
	return err
}

// unread returns a saga whose progress cannot be read.
func unread(in saga.Instance, lacksKey bool) record.StoredSaga {
	in.Progress = saga.Progress{Parent: in.Parent}
	fault := fmt.Errorf("saga %s: %w", in.ID, record.ErrUnreadable)
	if lacksKey {
		fault = fmt.Errorf("%w: %w", record.ErrPayloadKeys, fault)
	}
	return record.StoredSaga{Instance: in, Unreadable: fault}
}

func (b *faultyStore) TryChange(_ context.Context, sagaID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuses == nil {
		return nil
	}
	return b.refuses(record.Batch{SagaIDs: []string{sagaID}})
}

func (b *faultyStore) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	found, err := b.Store.Saga(ctx, id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.unreadable[id] {
		found = unread(found.Instance, b.lacksKey)
	}
	return found, err
}

func (b *faultyStore) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	b.mu.Lock()
	err := b.definitions[name]
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return b.Store.Definition(ctx, name, version)
}

// Due returns the extra rows, which stay due forever, before all others.
func (b *faultyStore) Due(ctx context.Context, grace time.Duration, after record.DueSaga, limit int) ([]record.DueSaga, error) {
	b.mu.Lock()
	extra := b.extra
	if after == (record.DueSaga{}) {
		b.rounds++
	}
	b.mu.Unlock() // a transaction holds the store's lock when it takes this one
	position := slices.IndexFunc(extra, func(d record.DueSaga) bool { return d == after }) + 1
	if after != (record.DueSaga{}) && position == 0 || position == len(extra) {
		if position == len(extra) {
			after = record.DueSaga{}
		}
		return b.Store.Due(ctx, grace, after, limit)
	}
	return extra[position:min(len(extra), position+limit)], nil
}

// started returns a running engine on the store, and sagas of a definition.
func (b *faultyStore) started(t *testing.T, config engine.Config, def *saga.Definition, sagas int) (*engine.Engine, []string) {
	t.Helper()
	config.Store = b
	if config.Outbox == nil {
		config.Outbox = nullOutbox{}
	}
	e := run(t, config)
	_, _, err := e.RegisterDefinition(t.Context(), def)
	require.NoError(t, err)
	ids := make([]string, sagas)
	for i := range ids {
		in, _, err := e.Start(t.Context(), record.StartRequest{Definition: def.Name})
		require.NoError(t, err)
		ids[i] = in.ID
	}
	return e, ids
}

func succeed(e *engine.Engine, id string) <-chan bool {
	settled := make(chan bool, 1)
	e.ReceiveReply(context.Background(), wire.Message{
		CorrelationID: id + "/reserve/execute/1", Body: []byte(`{"status":"succeeded"}`),
	}, func(ok bool) { settled <- ok })
	return settled
}

// requireSettled waits until a message is settled with true.
func requireSettled(t *testing.T, settled <-chan bool, says ...any) {
	t.Helper()
	select {
	case ok := <-settled:
		require.True(t, ok, says...)
	case <-time.After(15 * time.Second):
		require.Fail(t, "a message is not settled", says...)
	}
}

func letters(t *testing.T, store *memory.Store) (reasons []string) {
	t.Helper()
	found, _, err := store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 100})
	require.NoError(t, err)
	for _, letter := range found {
		reasons = append(reasons, letter.Source+" "+letter.Reason)
	}
	slices.Sort(reasons)
	return reasons
}

// An unreadable saga or definition affects no other saga.
func TestAnUnreadableSagaHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *faultyStore, id string){
		"its row is unreadable":        func(b *faultyStore, id string) { b.unreadable[id] = true },
		"it breaks an invariant":       func(b *faultyStore, id string) { b.spoiled[id] = true },
		"its definition is unreadable": func(b *faultyStore, _ string) { b.definitions["lost"] = fmt.Errorf("read: %w", record.ErrUnreadable) },
		"its definition is gone":       func(b *faultyStore, _ string) { b.definitions["lost"] = record.ErrDefinitionNotFound },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFaultyStore(t, memory.Config{})
			lost := saga.New("lost").Step("reserve", "shop.reserve", saga.CompensatedBy("shop.release")).Step("charge", "shop.charge").MustBuild()
			_, bad := b.started(t, engine.Config{}, lost, 1)
			b.with(func() { spoil(b, bad[0]) })
			e, good := b.started(t, engine.Config{Lanes: 1}, payment(), 20) // another process, which does not know the definition
			var settled []<-chan bool
			for _, id := range append(bad, good...) {
				settled = append(settled, succeed(e, id))
			}
			for _, s := range settled {
				requireSettled(t, s, "the message is not redelivered")
			}
			for _, id := range good {
				kept, err := b.Saga(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, saga.StepSucceeded, kept.Steps[0].Status)
			}
			require.Equal(t, []string{"reply unreadable_saga"}, letters(t, b.Store), "nor is it lost")
			_, err := e.Act(t.Context(), bad[0], saga.Action{ID: "a", Name: saga.ActionCompensate})
			require.ErrorIs(t, err, record.ErrUnreadable)
			in, err := e.Act(t.Context(), bad[0], saga.Action{ID: "b", Name: saga.ActionAbandon, Actor: "ann", Reason: "cannot be read"})
			require.NoError(t, err)
			require.Equal(t, saga.Abandoned, in.Status)
			kept, err := b.Saga(t.Context(), bad[0])
			require.NoError(t, err)
			require.Equal(t, saga.Abandoned, kept.Status)
			require.Equal(t, kept.Definition, in.Definition, "the answer has the columns")
			require.Equal(t, kept.Revision, in.Revision)
			_, err = e.Act(t.Context(), bad[0], saga.Action{ID: "c", Name: saga.ActionAbandon, Actor: "ann", Reason: "again"})
			refusal, is := errors.AsType[*saga.Refusal](err)
			require.True(t, is, "%v", err)
			require.Equal(t, saga.RefusedNotApplicable, refusal.Code)
			if len(b.unreadable)+len(b.spoiled) == 0 { // else the row cannot say which action it was
				_, err = e.Act(t.Context(), bad[0], saga.Action{ID: "b", Name: saga.ActionAbandon, Actor: "ann", Reason: "again"})
				require.NoError(t, err, "a repetition of the same action is the same action")
			}
		})
	}
}

// A start of an unreadable definition is dead-lettered, and works again after a repair.
func TestAStartWorksAfterItsDefinitionIsRepaired(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	b.started(t, engine.Config{}, payment(), 1)
	b.with(func() { b.definitions["payment"] = fmt.Errorf("read: %w", record.ErrUnreadable) })
	other := run(t, engine.Config{Store: b, Outbox: nullOutbox{}})
	settled := make(chan bool, 1)
	other.ReceiveStart(t.Context(), wire.Message{MessageID: "m"}, func(wire.Message) (record.StartRequest, error) {
		return record.StartRequest{Definition: "payment", Version: 1}, nil
	}, func(ok bool) { settled <- ok })
	requireSettled(t, settled, "it does not stay in the start queue forever")
	require.Equal(t, []string{"start unreadable_definition"}, letters(t, b.Store))
	b.with(func() { delete(b.definitions, "payment") })
	_, _, err := other.Start(t.Context(), record.StartRequest{Definition: "payment", Version: 1})
	require.NoError(t, err)
}

// Thousands of broken sagas that are due delay no good one, and are retried with growing pauses.
func TestBrokenSagasThatAreDueHideNoGoodOne(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	_, _, err := b.PutDefinition(t.Context(), payment())
	require.NoError(t, err)
	starting := engine.New(engine.Config{Store: b, Outbox: nullOutbox{}, Lanes: 1}) // it has a timer for the saga, and dies
	scheduled := make(chan string, 1)
	go func() {
		in, _, _ := starting.Start(context.Background(), record.StartRequest{Definition: "payment", StartAt: time.Now().Add(100 * time.Millisecond)})
		scheduled <- in.ID
	}()
	require.Eventually(t, func() bool { return starting.DecideBatch(t.Context(), 0) }, 10*time.Second, time.Millisecond)
	good := <-scheduled
	b.with(func() {
		for i := range 5000 {
			id := fmt.Sprintf("broken-%04d", i)
			b.extra = append(b.extra, record.DueSaga{SagaID: id, WakeAt: time.Unix(int64(i), 0)})
			b.unreadable[id] = true
		}
	})
	lines := &countingHandler{}
	e := run(t, engine.Config{Store: b, Outbox: nullOutbox{}, PollEvery: 20 * time.Millisecond, Logger: lines.logger()})
	require.Eventually(t, func() bool {
		kept, err := b.Saga(context.Background(), good)
		return err == nil && kept.Status == saga.Running
	}, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return e.Health().Unreadable == 5000 }, 10*time.Second, 5*time.Millisecond)
	b.with(func() { b.rounds = 0 })
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.rounds > 60
	}, 10*time.Second, 5*time.Millisecond)
	b.with(func() { require.LessOrEqual(t, b.loads["broken-0007"], 3, "its pauses grow") })
	require.Less(t, lines.count(), 60, "one cause does not fill the log")
}

// countingHandler counts log lines.
type countingHandler struct{ lines atomic.Int64 }

func (c *countingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (c *countingHandler) Handle(context.Context, slog.Record) error { c.lines.Add(1); return nil }
func (c *countingHandler) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c *countingHandler) WithGroup(string) slog.Handler             { return c }
func (c *countingHandler) logger() *slog.Logger                      { return slog.New(c) }
func (c *countingHandler) count() int                                { return int(c.lines.Load()) }

var errTooLarge = errors.New("canceling statement due to statement timeout")

// A batch that the store cannot commit is halved until the event at fault is alone; the others are stored.
func TestABatchThatCannotBeStoredIsHalved(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{Lanes: 1}, payment(), 300)
	poison := ids[123]
	b.with(func() {
		b.batches = nil
		b.refuses = func(batch record.Batch) error {
			if slices.Contains(batch.SagaIDs, poison) || len(batch.SagaIDs) > 100 {
				return errTooLarge
			}
			return nil
		}
	})
	began := time.Now()
	settled := map[string]<-chan bool{}
	for _, id := range ids {
		settled[id] = succeed(e, id)
	}
	second := succeed(e, poison) // waits behind the first
	for _, id := range ids {
		if id != poison {
			requireSettled(t, settled[id])
		}
	}
	require.Less(t, time.Since(began), 10*time.Second)
	require.Equal(t, 1, e.Health().Parked)
	require.True(t, e.IsParked(poison))
	require.False(t, e.IsParked(ids[0]))
	select {
	case <-settled[poison]:
		require.Fail(t, "an event that cannot be stored is not settled")
	default:
	}
	b.with(func() {
		require.LessOrEqual(t, slices.Max(b.batches), 256)
		b.refuses = nil
	})
	requireSettled(t, settled[poison], "it is retried")
	requireSettled(t, second)
	require.Zero(t, e.Health().Parked)
}

// The size of its events limits a batch too.
func TestABatchEndsAtBytes(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{Lanes: 1, LaneCapacity: 10_000}, payment(), 64)
	b.with(func() { b.refuses = func(record.Batch) error { return errTooLarge } }) // so that they pile up
	large := `{"status":"succeeded","output":{"x":"` + strings.Repeat("x", 250_000) + `"}}`
	var settled sync.WaitGroup
	for _, id := range ids {
		settled.Add(1)
		e.ReceiveReply(t.Context(), wire.Message{CorrelationID: id + "/reserve/execute/1", Body: []byte(large)}, func(bool) { settled.Done() })
	}
	b.with(func() { b.refuses, b.batches = nil, nil })
	settled.Wait()
	b.with(func() { require.LessOrEqual(t, slices.Max(b.batches), 9, "4 MiB of messages with their outputs") })
}

// The clock of the database goes an hour ahead and back; timers set meanwhile fire on time.
func TestATimerThatWasSetByAClockAheadFiresOnTime(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	ahead := time.Hour
	b := newFaultyStore(t, memory.Config{Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}})
	e, _ := b.started(t, engine.Config{PollEvery: 20 * time.Millisecond}, payment(), 0)
	var ids []string
	for range 3 {
		in, _, err := e.Start(t.Context(), record.StartRequest{
			Definition: "payment", StartAt: time.Now().Add(time.Hour + 500*time.Millisecond),
		})
		require.NoError(t, err)
		require.Equal(t, saga.Scheduled, in.Status)
		ids = append(ids, in.ID)
	}
	began := time.Now()
	mu.Lock()
	ahead = 0
	mu.Unlock()
	for _, id := range ids {
		require.Eventually(t, func() bool {
			kept, err := b.Saga(context.Background(), id)
			return err == nil && kept.Status == saga.Running
		}, 3*time.Second, 5*time.Millisecond)
	}
	require.Greater(t, time.Since(began), 400*time.Millisecond, "and not before")
}

// A dead letter names what is missing from its message.
func TestADeadLetterNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e := run(t, engine.Config{Store: b, Outbox: nullOutbox{}})
	settled := make(chan bool, 1)
	e.ReceiveReply(t.Context(), wire.Message{Body: make([]byte, 8<<20+1), Damage: "a header is nested too deeply"}, func(ok bool) { settled <- ok })
	requireSettled(t, settled)
	found, _, err := b.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 1})
	require.NoError(t, err)
	require.Contains(t, found[0].Message, "a header is nested too deeply; its body of 8388609 bytes is cut to 8388608")
}
