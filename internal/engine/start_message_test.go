package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// asked reads a start as the test wants it: the message's id is the idempotency key, its body the business key.
func asked(message wire.Message) (record.StartRequest, error) {
	if message.MessageID == "" {
		return record.StartRequest{}, errors.New("message_id: required")
	}
	return record.StartRequest{
		Definition: message.Type, Key: string(message.Body), IdempotencyKey: message.MessageID, BodyHash: message.Body,
		Actor: "amqp",
	}, nil
}

// deliver gives a message to the engine and says how it was settled.
func deliver(ctx context.Context, t *testing.T, e *engine.Engine, message wire.Message) bool {
	t.Helper()
	settled := make(chan bool, 2)
	e.ReceiveStart(ctx, message, asked, func(ok bool) { settled <- ok })
	ok := <-settled
	require.Empty(t, settled, "a message is settled once")
	return ok
}

func TestAStartByMessageIsStoredOnceHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register(t, payment())
	for range 3 {
		require.True(t, deliver(t.Context(), t, r.Engine, wire.Message{MessageID: "m", Type: "payment", Body: []byte("order-1")}))
	}
	sagas, _, err := r.store.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, sagas, 1)
	require.Equal(t, "order-1", sagas[0].Key)
	history, _, err := r.store.History(t.Context(), sagas[0].ID, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, "amqp", history[0].Actor)
}

func TestAStartByMessageThatIsRefusedIsPutAside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.register(t, payment())
	first := wire.Message{MessageID: "first", Type: "payment", Body: []byte("order-1")}
	require.True(t, deliver(t.Context(), t, r.Engine, first))
	holder, _, err := r.store.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	for reason, message := range map[string]wire.Message{
		"malformed_start":      {Type: "payment", Body: []byte("\xff\x00")},
		"definition_not_found": {MessageID: "m", Type: "nothing", Body: []byte("order-2")},
		"idempotency_conflict": {MessageID: "first", Type: "payment", Body: []byte("order-2")},
		"key_in_use":           {MessageID: "m", Type: "payment", Body: []byte("order-1")},
	} {
		message.Queue, message.Headers = "saga.start", map[string]any{"tenant": "a"}
		require.True(t, deliver(t.Context(), t, r.Engine, message), "it must not come again: %s", reason)
		letters, _, err := r.store.DeadLetters(t.Context(), record.Page{Limit: 1})
		require.NoError(t, err)
		letter, err := r.store.DeadLetter(t.Context(), letters[0].ID)
		require.NoError(t, err)
		require.Equal(t, reason, letter.Reason)
		require.Equal(t, "start", letter.Source)
		require.Equal(t, "saga.start", letter.Queue)
		require.Equal(t, message.Body, letter.Body, "as it came")
		require.JSONEq(t, fmt.Sprintf(`{"tenant":"a","saga-idempotency-key":%q}`, message.MessageID), string(letter.Headers),
			"what a person needs to send it again")
		require.Equal(t, map[string]any{"tenant": "a"}, message.Headers, "the message is left as it was")
		if reason == "key_in_use" {
			require.Equal(t, holder[0].ID, letter.SagaID)
		}
	}
}

// away is a store that does not find definitions for a while.
type away struct {
	*memory.Store
	failures int
}

func (a *away) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	if a.failures--; a.failures >= 0 {
		return record.RegisteredDefinition{}, errors.New("connection refused")
	}
	return a.Store.LatestDefinition(ctx, name)
}

func TestAStartByMessageWaitsForTheStoreAndComesAgainWhereItIsNotStored(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	_, _, err = kept.PutDefinition(t.Context(), payment())
	require.NoError(t, err)
	store := &away{Store: kept, failures: 2}
	message := wire.Message{MessageID: "m", Type: "payment", Body: []byte("order-1")}
	e := run(t, engine.Config{Store: store, Outbox: noOutbox{}})
	require.True(t, deliver(t.Context(), t, e, message), "it is tried until the store is there")

	store.failures = 1 << 30
	ending, end := context.WithCancel(t.Context())
	end()
	require.False(t, deliver(ending, t, e, wire.Message{MessageID: "n", Type: "payment"}), "it is not lost at the end")
	letters, _, err := kept.DeadLetters(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, letters, "a store that is away is no fault of the message")
}

func TestAStartThatTheStoreNeverTakesIsPutAside(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	_, _, err = kept.PutDefinition(t.Context(), payment())
	require.NoError(t, err)
	e := run(t, engine.Config{Store: refusing{kept}, Outbox: noOutbox{}})
	require.True(t, deliver(t.Context(), t, e, wire.Message{MessageID: "m", Type: "payment"}))
	letters, _, err := kept.DeadLetters(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, "rejected_by_store", letters[0].Reason)
}

// refusing is a store that takes no new sagas.
type refusing struct{ *memory.Store }

func (r refusing) Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error {
	if len(batch.Starts) > 0 {
		return fmt.Errorf("invalid byte sequence: %w", record.ErrRejected)
	}
	return r.Store.Transact(ctx, batch, decide)
}

// noOutbox takes commands and keeps them.
type noOutbox struct{}

func (noOutbox) Dispatch([]wire.Command)                 {}
func (noOutbox) Await(context.Context)                   {}
func (noOutbox) TakeConfirmed(int, int) []saga.CommandID { return nil }
func (noOutbox) ReturnConfirmed([]saga.CommandID)        {}

// run lets an engine work until the test ends.
func run(t *testing.T, config engine.Config) *engine.Engine {
	t.Helper()
	e := engine.New(config)
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { e.Run(ctx, time.Second) })
	t.Cleanup(func() { stop(); working.Wait() })
	return e
}
