package storetest

import (
	"errors"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func queueSettingsKept(f *Fixture) {
	t := f.t
	controls, err := f.QueueControls(t.Context())
	require.NoError(t, err)
	assert.Empty(t, controls)
	first := f.set(func(s *record.QueueSettings) { s.MaxOut, s.Rate = 3, 0.5 })
	assert.False(t, first.Since.IsZero())
	assert.Equal(t, first, f.set(func(*record.QueueSettings) {}), "nothing changed")
	after := f.set(pause)
	assert.False(t, after.Since.Before(first.Since))
	after.Since = time.Time{}
	assert.Equal(t, record.QueueSettings{Paused: true, MaxOut: 3, Rate: 0.5}, after)
	_, err = f.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error {
		s.Paused = false
		return errors.New("not like this")
	})
	require.ErrorContains(t, err, "not like this")
	controls, err = f.QueueControls(t.Context())
	require.NoError(t, err)
	require.Len(t, controls, 1)
	assert.True(t, controls[0].Paused, "an error changes nothing")
	assert.Equal(t, "inventory", controls[0].Queue)
	assert.False(t, controls[0].Waiting)
	assert.Equal(t, record.QueueSettings{}, f.set(func(s *record.QueueSettings) { *s = record.QueueSettings{} }))
	controls, err = f.QueueControls(t.Context())
	require.NoError(t, err)
	assert.Empty(t, controls)
}

func queueUnknown(f *Fixture) {
	for _, name := range []string{"other", "no\x00name", ""} {
		_, err := f.SetQueue(f.t.Context(), name, func(s *record.QueueSettings) error { s.Paused = true; return nil })
		require.ErrorIs(f.t, err, record.ErrQueueNotFound)
	}
}

func queueCountsHeld(f *Fixture) {
	t := f.t
	f.set(pause)
	f.startHeld(0, 0)
	f.Held = false
	out := f.Start(saga.Start{})
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2}, []int64{stats.OutboxPending, stats.OutboxHeldBack})
	assert.Equal(t, out.UpdatedAt, stats.OutboxOldest)
	backlog, err := f.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2}, []int64{backlog.OutboxPending, backlog.HeldBack})
	assert.Equal(t, out.UpdatedAt, backlog.OutboxOldest)
	loads, err := f.QueueLoads(t.Context())
	require.NoError(t, err)
	require.Len(t, loads, 1)
	assert.Equal(t, []int64{1, 1, 2}, []int64{loads[0].CommandsOut, loads[0].Unpublished, loads[0].HeldBack})
}

func queueReleaseLimits(f *Fixture) {
	t := f.t
	f.startHeld(0, 0, 0)
	assert.Len(t, f.release(2), 2)
	assert.Len(t, f.release(2), 1)
	f.startHeld(0, 0)
	commands, err := f.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10, Bytes: 1})
	require.NoError(t, err)
	assert.Len(t, commands, 1, "at least one, however large")
	for _, claim := range []record.HeldClaim{{Queue: "inventory"}, {Queue: "other", Limit: 10}, {Queue: "a\x00", Limit: 10}} {
		commands, err := f.ReleaseHeld(t.Context(), claim)
		require.NoError(t, err)
		assert.Empty(t, commands)
	}
}

func queueWithoutSettings(f *Fixture) {
	t := f.t
	held := f.startHeld(1, 3, 2)
	controls, err := f.QueueControls(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.QueueControl{{Queue: "inventory", Waiting: true}}, controls)
	assert.Equal(t, []string{held[1], held[2], held[0]}, commandIDs(f.release(10)))
}

func queueRedriven(f *Fixture) {
	t := f.t
	id := f.Start(saga.Start{}).ID
	f.confirm(Execute(id, "reserve"))
	command := wire.Command{ID: Execute(id, "reserve"), Definition: "order", Version: 1, Queue: "inventory", CreatedAt: time.Now().UTC(), Body: []byte(`{"data":{}}`), Held: true}
	f.set(pause)
	for range 2 { // of two redrives one finds the command on its way
		err := f.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(record.Loaded) (record.Changes, error) {
			return record.Changes{Redriven: []wire.Command{command}}, nil
		})
		require.NoError(t, err)
	}
	assert.Empty(t, f.release(10))
	f.set(unpause)
	assert.Equal(t, []string{command.ID.String()}, f.released(1))
}

func queueEnded(f *Fixture) {
	t := f.t
	f.set(pause)
	held := f.startHeld(0, 0)
	f.Apply(sagaOf(held[0]), Do(saga.ActionAbandon))
	f.set(func(s *record.QueueSettings) { s.Paused, s.MaxOut = false, 1 })
	assert.Equal(t, held[1:], f.released(1))
	rows, err := f.OutboxRows(t.Context(), sagaOf(held[0]))
	require.NoError(t, err)
	assert.Empty(t, rows)
}
