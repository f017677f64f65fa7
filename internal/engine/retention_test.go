package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// deleted ends the saga of a business key and deletes it. It returns its id.
func (r *fixture) deleted(t *testing.T, key string) string {
	t.Helper()
	found, _, err := r.store.Sagas(t.Context(), record.Filter{Key: &key}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, found, 1)
	_, err = r.Act(t.Context(), found[0].ID, saga.Action{ID: "end", Name: saga.ActionAbandon, Reason: "a test"})
	require.NoError(t, err)
	deletion := record.Deletion{IDs: []string{found[0].ID}, Expiry: record.Expiry{
		Definition: found[0].Definition, Statuses: []saga.Status{saga.Abandoned}, Before: time.Now().Add(time.Hour),
	}}
	require.Eventually(t, func() bool {
		sagas, _, err := r.store.DeleteSagas(t.Context(), deletion)
		return assert.NoError(t, err) && sagas == 1
	}, 10*time.Second, time.Millisecond, "once its command is sent")
	return found[0].ID
}

func TestAStartAgainAfterItsSagaIsDeletedIsRefused(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	message := wire.Message{MessageID: "m", Type: "payment", Body: []byte("order-1")}
	require.True(t, deliver(t.Context(), t, r.Engine, message))
	id := r.deleted(t, "order-1")
	require.True(t, deliver(t.Context(), t, r.Engine, message))
	letters, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, letters, 1)
	assert.Equal(t, "saga_gone", letters[0].Reason)
	assert.Equal(t, id, letters[0].SagaID)

	_, _, err = r.Start(t.Context(), record.StartRequest{Definition: "payment", Key: "order-1", IdempotencyKey: "m", BodyHash: message.Body})
	var gone *record.SagaGoneError
	require.ErrorAs(t, err, &gone)
	assert.Equal(t, id, gone.SagaID)
	left, _, err := r.store.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	assert.Empty(t, left)
}
