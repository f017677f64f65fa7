package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// overtaken lets something happen once, before the transaction that starts a saga.
type overtaken struct {
	*memory.Store
	saga string
	by   func()
}

func (o *overtaken) Transact(ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error)) error {
	if by := o.by; by != nil && slices.ContainsFunc(batch.Starts, func(c record.StartClaim) bool { return c.SagaID == o.saga }) {
		o.by = nil
		by()
	}
	return o.Store.Transact(ctx, batch, decide)
}

// The parent turns back at once: its message finds no child, and the child starts before it is started for the record.
func TestRule23AChildThatStartsWhileItIsTurnedBackIsCompensated(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	slow := &overtaken{Store: store}
	here, there := run(t, engine.Config{Store: slow, Outbox: nullOutbox{}}), run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	define(t, store, "child", `[{"name":"a","signal":"go"}]`)
	define(t, store, "parent", `[{"name":"a","saga":"child"}]`)
	parent, _, err := there.Start(t.Context(), record.StartRequest{SagaID: "01JD0000000000000000000000", Definition: "parent"})
	require.NoError(t, err)
	asked := saga.ChildStart{ID: parent.Steps[0].Child(), Definition: "child", Parent: saga.Parent{Saga: parent.ID, Step: "a", Level: 2}, Compensatable: true}
	slow.saga, slow.by = asked.ID, func() {
		assert.NoError(t, there.Deliver(t.Context(), between(t, saga.Execute, saga.Message{Start: &asked})))
	}
	_, err = there.Act(t.Context(), parent.ID, saga.Action{ID: "1", Name: saga.ActionCompensate, Reason: "x"})
	require.NoError(t, err)
	require.NoError(t, here.Deliver(t.Context(), between(t, saga.Compensate, saga.Message{Unwind: &asked})))
	child, err := store.Saga(t.Context(), asked.ID)
	require.NoError(t, err)
	require.Equal(t, saga.Compensated, child.Status)
}

func define(t *testing.T, store *memory.Store, name, steps string) {
	t.Helper()
	def, err := saga.ParseDefinition(name, 1, []byte(`{"steps":`+steps+`}`))
	require.NoError(t, err)
	_, _, err = store.PutDefinition(t.Context(), def)
	require.NoError(t, err)
}

// between returns a message of the first step of the parent.
func between(t *testing.T, direction saga.Direction, message saga.Message) *wire.Command {
	t.Helper()
	body, err := json.Marshal(message)
	require.NoError(t, err)
	id := saga.CommandID{Saga: "01JD0000000000000000000000", Step: "a", Direction: direction, Round: 1, Attempt: 1}
	return &wire.Command{ID: id, Queue: wire.BetweenSagas, Body: body}
}

// A replica that ends between the refusal and the deletion of the message delivers the start again.
func TestRule23AChildWhoseStartWasRefusedDoesNotStartLater(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	e := run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	define(t, store, "parent", `[{"name":"a","saga":"child","kind":"retriable"}]`)
	parent, _, err := e.Start(t.Context(), record.StartRequest{SagaID: "01JD0000000000000000000000", Definition: "parent"})
	require.NoError(t, err)
	child := parent.Steps[0].Child()
	start := between(t, saga.Execute, saga.Message{Start: &saga.ChildStart{
		ID: child, Definition: "child", Parent: saga.Parent{Saga: parent.ID, Step: "a", Level: 2},
	}})

	require.NoError(t, e.Deliver(t.Context(), start))
	stored, err := store.Saga(t.Context(), parent.ID)
	require.NoError(t, err)
	require.Equal(t, saga.NoWait, stored.Steps[0].Waiting, "the parent knows of the refusal")
	require.Equal(t, "definition_not_found", stored.Steps[0].Error.Code)

	define(t, store, "child", `[{"name":"a","signal":"go"}]`)
	require.NoError(t, e.Deliver(t.Context(), start))
	_, err = store.Saga(t.Context(), child)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}

// brokenFamily returns a parent that waits for its child, which waits for a signal, on a store of which rows can be broken.
func brokenFamily(t *testing.T) (b *faultyStore, e *engine.Engine, parent saga.Instance, start saga.ChildStart) {
	t.Helper()
	b = newFaultyStore(t, memory.Config{})
	e = run(t, engine.Config{Store: b, Outbox: nullOutbox{}})
	define(t, b.Store, "child", `[{"name":"a","signal":"go"}]`)
	define(t, b.Store, "parent", `[{"name":"a","saga":"child"}]`)
	parent, _, err := e.Start(t.Context(), record.StartRequest{SagaID: "01JD0000000000000000000000", Definition: "parent"})
	require.NoError(t, err)
	return b, e, parent, saga.ChildStart{
		ID: parent.Steps[0].Child(), Definition: "child", Parent: saga.Parent{Saga: parent.ID, Step: "a", Level: 2}, Compensatable: true,
	}
}

func (b *faultyStore) breaks(id string, broken bool) { b.with(func() { b.unreadable[id] = broken }) }

func TestRule23TheStartOfAChildStaysWhileItsParentCannotBeRead(t *testing.T) {
	t.Parallel()
	b, e, parent, start := brokenFamily(t)
	b.breaks(parent.ID, true)
	message := between(t, saga.Execute, saga.Message{Start: &start})
	require.ErrorIs(t, e.Deliver(t.Context(), message), record.ErrUnreadable, "so that the message stays in the outbox")
	b.breaks(parent.ID, false)
	require.NoError(t, e.Deliver(t.Context(), message))
	_, err := b.Saga(t.Context(), start.ID)
	require.NoError(t, err, "the child starts once the parent was repaired")
}

func TestRule23TheEndOfAChildThatCannotBeReadWaitsForItsRepair(t *testing.T) {
	t.Parallel()
	b, e, parent, start := brokenFamily(t)
	require.NoError(t, e.Deliver(t.Context(), between(t, saga.Execute, saga.Message{Start: &start})))
	child, err := e.Signal(t.Context(), start.ID, saga.Signal{Name: "go", Output: []byte(`{"x":1}`)})
	require.NoError(t, err)
	require.Equal(t, saga.Completed, child.Status)
	b.breaks(start.ID, true)
	ended := between(t, saga.Execute, child.EndedMessage())
	ended.ID = child.EndedMessage().ID
	require.ErrorIs(t, e.Deliver(t.Context(), ended), record.ErrUnreadable)
	b.breaks(start.ID, false)
	require.NoError(t, e.Deliver(t.Context(), ended))
	after, err := b.Saga(t.Context(), parent.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"x":1}`, string(after.Data))
}
