package relay_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// setQueue changes the settings of the queue q, as an operator does.
func (r *fixture) setQueue(t *testing.T, change func(*record.QueueSettings)) {
	t.Helper()
	_, err := r.store.SetQueue(t.Context(), "q", func(s *record.QueueSettings) error { change(s); return nil })
	require.NoError(t, err)
	require.NoError(t, r.Follow(t.Context()))
}

func (r *fixture) define(t *testing.T) {
	t.Helper()
	_, _, err := r.store.PutDefinition(t.Context(), saga.New("d").Step("a", "q.a").MustBuild())
	require.NoError(t, err)
	require.NoError(t, r.broker.DeclareQueues(t.Context(), []string{"q"}))
}

func TestOnlyCommandsOfQueuesWithSettingsAreHeldBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.define(t)
	held := func() (all []bool) {
		commands := []wire.Command{
			{ID: saga.CommandID{Direction: saga.Execute}, Queue: "q"},
			{ID: saga.CommandID{Direction: saga.Compensate}, Queue: "q"},
			{ID: saga.CommandID{Direction: saga.Execute}, Queue: "other"},
		}
		r.Hold(commands)
		for _, c := range commands {
			all = append(all, c.Held)
		}
		return all
	}
	assert.Equal(t, []bool{false, false, false}, held())
	r.setQueue(t, func(s *record.QueueSettings) { s.MaxOut = 1 })
	assert.Equal(t, []bool{true, false, false}, held(), "a cap concerns execute commands only")
	r.setQueue(t, func(s *record.QueueSettings) { s.MaxOut, s.Rate = 0, 1 })
	assert.Equal(t, []bool{true, false, false}, held(), "so does a rate")
	r.setQueue(t, func(s *record.QueueSettings) { s.Paused = true })
	assert.Equal(t, []bool{true, true, false}, held(), "a pause concerns compensations, too")
}

// A replica that committed a command before it knew of a pause neither publishes nor claims it.
func TestACommandThatWasHandedOverBeforeAPauseWaitsForItsEnd(t *testing.T) {
	t.Parallel()
	r := newIdle(t)
	r.define(t)
	r.setQueue(t, func(s *record.QueueSettings) { s.Paused = true })
	command := r.commit(t)
	r.Dispatch([]wire.Command{command})
	require.True(t, r.PublishHanded(t.Context()), "it is taken from memory")
	require.NoError(t, r.store.ReleaseOutbox(t.Context(), []saga.CommandID{command.ID})) // its lease is over
	require.False(t, r.PublishClaimed(t.Context()))
	require.False(t, r.ReleaseHeld(t.Context()))
	rows, err := r.store.OutboxRows(t.Context(), command.ID.Saga)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.True(t, rows[0].HeldBack)
	require.Empty(t, r.TakeConfirmed(1, 10))
	r.setQueue(t, func(s *record.QueueSettings) { s.Paused = false })
	r.PublishClaimed(t.Context())
	r.ReleaseHeld(t.Context())
	require.Equal(t, []saga.CommandID{command.ID}, r.TakeConfirmed(1, 10))
	require.Equal(t, []saga.CommandID{command.ID}, r.late, "the time of its attempt starts now")
}

// A process that has never read the settings publishes nothing: its queue may be paused.
func TestNothingIsPublishedBeforeTheSettingsAreRead(t *testing.T) {
	t.Parallel()
	broker := local.New()
	require.NoError(t, broker.DeclareQueues(t.Context(), []string{"q"}))
	r := relay.New(relay.Config{Rows: unreadable{&table{}}, Publisher: broker})
	r.Dispatch([]wire.Command{{Queue: "q"}})
	require.False(t, r.PublishHanded(t.Context()))
	require.False(t, r.PublishClaimed(t.Context()))
	require.Empty(t, r.TakeConfirmed(1, 10))
}

// unreadable is an outbox whose settings of queues cannot be read.
type unreadable struct{ *table }

func (unreadable) QueueControls(context.Context) ([]record.QueueControl, error) {
	return nil, errors.New("the database is away")
}
