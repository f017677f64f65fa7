package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// A replica that ends between the refusal and the deletion of the message delivers the start again.
func TestRule23AChildWhoseStartWasRefusedDoesNotStartLater(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	e := run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	define := func(name, steps string) {
		def, err := saga.ParseDefinition(name, 1, []byte(`{"steps":`+steps+`}`))
		require.NoError(t, err)
		_, _, err = store.PutDefinition(t.Context(), def)
		require.NoError(t, err)
	}
	define("parent", `[{"name":"a","saga":"child","kind":"retriable"}]`)
	parent, _, err := e.Start(t.Context(), record.StartRequest{SagaID: "01JD0000000000000000000000", Definition: "parent"})
	require.NoError(t, err)
	child := parent.Steps[0].Child()
	body, err := json.Marshal(saga.Message{Start: &saga.ChildStart{
		ID: child, Definition: "child", Parent: saga.Parent{Saga: parent.ID, Step: "a", Level: 2},
	}})
	require.NoError(t, err)
	start := &wire.Command{
		ID:    saga.CommandID{Saga: parent.ID, Step: "a", Direction: saga.Execute, Round: 1, Attempt: 1},
		Queue: wire.BetweenSagas, Body: body,
	}

	require.NoError(t, e.Deliver(t.Context(), start))
	stored, err := store.Saga(t.Context(), parent.ID)
	require.NoError(t, err)
	require.Equal(t, saga.NoWait, stored.Steps[0].Waiting, "the parent knows of the refusal")
	require.Equal(t, "definition_not_found", stored.Steps[0].Error.Code)

	define("child", `[{"name":"a","signal":"go"}]`)
	require.NoError(t, e.Deliver(t.Context(), start))
	_, err = store.Saga(t.Context(), child)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}
