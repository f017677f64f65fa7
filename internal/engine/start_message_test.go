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

// decodeStart uses the message id as the idempotency key and the body as the business key.
func decodeStart(message wire.Message) (record.StartRequest, error) {
	if message.MessageID == "" {
		return record.StartRequest{}, errors.New("message_id: required")
	}
	return record.StartRequest{
		Definition: message.Type, Key: string(message.Body), IdempotencyKey: message.MessageID, BodyHash: message.Body,
		Actor: "amqp",
	}, nil
}

// deliver gives a message to the engine and returns how it was settled.
func deliver(ctx context.Context, t *testing.T, e *engine.Engine, message wire.Message) bool {
	t.Helper()
	settled := make(chan bool, 2)
	e.ReceiveStart(ctx, message, decodeStart, func(ok bool) { settled <- ok })
	ok := <-settled
	require.Empty(t, settled, "a message is settled once")
	return ok
}

func TestARedeliveredStartMakesOneSaga(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
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

func TestARefusedStartByMessageIsDeadLettered(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
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
		require.True(t, deliver(t.Context(), t, r.Engine, message), "it must not be redelivered: %s", reason)
		letters, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 1})
		require.NoError(t, err)
		letter, err := r.store.DeadLetter(t.Context(), letters[0].ID)
		require.NoError(t, err)
		require.Equal(t, reason, letter.Reason)
		require.Equal(t, "start", letter.Source)
		require.Equal(t, "saga.start", letter.Queue)
		require.Equal(t, message.Body, letter.Body, "the body is unchanged")
		require.JSONEq(t, fmt.Sprintf(`{"tenant":"a","saga-idempotency-key":%q}`, message.MessageID), string(letter.Headers),
			"an operator needs the key to resend it")
		require.Equal(t, map[string]any{"tenant": "a"}, message.Headers, "the message itself is unchanged")
		if reason == "definition_not_found" {
			require.Equal(t, `definition "nothing" not found`, letter.Message)
		}
		if reason == "key_in_use" {
			require.Equal(t, holder[0].ID, letter.SagaID)
		}
	}
	_, _, err = r.Start(t.Context(), record.StartRequest{Definition: "payment", Version: 99})
	require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	require.ErrorContains(t, err, `definition "payment" version 99 not found`)
}

// unavailableStore fails the first reads of definitions.
type unavailableStore struct {
	*memory.Store
	failures int
}

func (a *unavailableStore) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	if a.failures--; a.failures >= 0 {
		return record.RegisteredDefinition{}, errors.New("connection refused")
	}
	return a.Store.LatestDefinition(ctx, name)
}

func TestAStartByMessageIsRetriedUntilTheStoreIsBack(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	_, _, err = kept.PutDefinition(t.Context(), payment())
	require.NoError(t, err)
	store := &unavailableStore{Store: kept, failures: 2}
	message := wire.Message{MessageID: "m", Type: "payment", Body: []byte("order-1")}
	e := run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	require.True(t, deliver(t.Context(), t, e, message), "it is retried until the store is back")

	store.failures = 1 << 30
	ending, end := context.WithCancel(t.Context())
	end()
	require.False(t, deliver(ending, t, e, wire.Message{MessageID: "n", Type: "payment"}), "it is redelivered after a shutdown")
	letters, _, err := kept.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, letters, "an outage of the store is not a fault of the message")
}

func TestAStartThatTheStoreRejectsIsDeadLettered(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	_, _, err = kept.PutDefinition(t.Context(), payment())
	require.NoError(t, err)
	e := run(t, engine.Config{Store: rejectingStore{kept}, Outbox: nullOutbox{}})
	require.True(t, deliver(t.Context(), t, e, wire.Message{MessageID: "m", Type: "payment"}))
	letters, _, err := kept.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, "rejected_by_store", letters[0].Reason)
}

// rejectingStore accepts no new sagas.
type rejectingStore struct{ *memory.Store }

func (r rejectingStore) Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error {
	if len(batch.Starts) > 0 {
		return fmt.Errorf("invalid byte sequence: %w", record.ErrRejected)
	}
	return r.Store.Transact(ctx, batch, decide)
}

// nullOutbox drops commands.
type nullOutbox struct{}

func (nullOutbox) Hold([]wire.Command)                     {}
func (nullOutbox) Dispatch([]wire.Command)                 {}
func (nullOutbox) Await(context.Context)                   {}
func (nullOutbox) TakeConfirmed(int, int) []saga.CommandID { return nil }
func (nullOutbox) ReturnConfirmed([]saga.CommandID)        {}

// run runs an engine until the test ends.
func run(t *testing.T, config engine.Config) *engine.Engine {
	t.Helper()
	e := engine.New(config)
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { e.Run(ctx, time.Second) })
	t.Cleanup(func() { stop(); working.Wait() })
	return e
}

func TestAStartByMessageOfADisabledDefinitionIsDeadLettered(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	_, err := r.store.SetDisabled(t.Context(), "payment", true, "ops")
	require.NoError(t, err)
	require.True(t, deliver(t.Context(), t, r.Engine, wire.Message{MessageID: "m", Type: "payment", Body: []byte("order-1")}))
	letters, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "definition_disabled", letters[0].Reason)
}
