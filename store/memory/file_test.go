package memory_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// killed copies the file of a process that is killed now: it is not closed.
func killed(t *testing.T, path string) string {
	t.Helper()
	from, err := os.Open(path)
	require.NoError(t, err)
	defer from.Close()
	left := filepath.Join(t.TempDir(), "left.db")
	to, err := os.Create(left)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	return left
}

// newFixture opens a store with a file. It returns the path too.
func newFixture(t *testing.T) (*storetest.Fixture, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dir", "sagas.db")
	return storetest.NewFixture(t, open(t, memory.Config{File: path, LeaseFor: storetest.LongLease})), path
}

func TestEverythingIsThereAfterACrash(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	ctx := t.Context()
	data := []byte("{ \"n\": 1e300, \"html\":\"<&>\", \"a\":9007199254740993 }")
	claim := w.Claim(storetest.NewID(), "k1", "order-1")
	_, err := w.TryStart(claim, saga.Start{Data: data, Labels: map[string]string{"a": "b"}, Actor: "me"})
	require.NoError(t, err)
	ended := w.Start(saga.Start{Key: "order-2"})
	w.Complete(ended.ID)
	w.Apply(claim.SagaID, storetest.Succeed(claim.SagaID, "reserve", `{"r":"<1>"}`), storetest.Fail(claim.SagaID, "charge"))
	require.NoError(t, w.CreateKey(ctx, record.Key{ID: "k", Name: "ci", Role: record.Admin, Hash: []byte("hash")}))
	letter := record.DeadLetter{ID: "d", Source: record.SourceReply, Body: []byte{0, 1}, Headers: []byte(`{"a":1}`)}
	require.NoError(t, w.Transact(ctx, record.Batch{DeadLetters: []record.DeadLetter{letter}}, nothing))

	again := storetest.NewFixture(t, open(t, memory.Config{File: killed(t, path), LeaseFor: storetest.LongLease}))
	assert.Equal(t, w.Order, again.Order)
	for _, id := range []string{claim.SagaID, ended.ID} {
		assert.Equal(t, w.Get(id), again.Get(id))
		before, _, err := w.History(ctx, id, record.Page{})
		require.NoError(t, err)
		after, _, err := again.History(ctx, id, record.Page{})
		require.NoError(t, err)
		assert.Equal(t, before, after)
		rows, err := w.OutboxRows(ctx, id)
		require.NoError(t, err)
		rowsAfter, err := again.OutboxRows(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, rows, rowsAfter)
	}
	outcome, err := again.TryStart(w.Claim(storetest.NewID(), "k1", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	outcome, err = again.TryStart(w.Claim(storetest.NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartKeyInUse, outcome.Kind)
	outcome, err = again.TryStart(w.Claim(storetest.NewID(), "", "order-2"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
	_, err = again.KeyByHash(ctx, []byte("hash"))
	require.NoError(t, err)
	before, err := w.DeadLetter(ctx, "d")
	require.NoError(t, err)
	after, err := again.DeadLetter(ctx, "d")
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func nothing(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }

func confirm(t *testing.T, s storetest.Store, commands ...saga.CommandID) {
	t.Helper()
	require.NoError(t, s.Transact(t.Context(), record.Batch{Confirmed: commands}, nothing))
}

func claimed(t *testing.T, path string) []string {
	t.Helper()
	s := open(t, memory.Config{File: path, LeaseFor: storetest.LongLease})
	commands, err := s.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 100})
	require.NoError(t, err)
	ids := []string{}
	for _, command := range commands {
		ids = append(ids, command.ID.String())
	}
	return ids
}

func TestDeliveredCommandsAreSentAgainAfterACrash(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	in := w.Start(saga.Start{})
	first, second := storetest.Execute(in.ID, "reserve"), storetest.Execute(in.ID, "charge")

	assert.Equal(t, []string{first.String()}, claimed(t, killed(t, path)), "the command was being published")
	confirm(t, w, first)
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Empty(t, rows, "hidden in this process")
	assert.Equal(t, []string{first.String()}, claimed(t, killed(t, path)), "its queue died with the process")

	w.Apply(in.ID, storetest.Succeed(in.ID, "reserve", `{}`))
	assert.Equal(t, []string{second.String()}, claimed(t, killed(t, path)), "an answered command is not sent again")
}

func TestACommandConfirmedAfterItsReplyIsForgotten(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	in := w.Start(saga.Start{})
	w.Complete(in.ID)
	for _, step := range []string{"reserve", "charge", "confirm"} {
		confirm(t, w, storetest.Execute(in.ID, step))
	}
	assert.Empty(t, claimed(t, killed(t, path)))
}

func TestACommandOfASagaThatWasClosedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	in := w.Start(saga.Start{})
	confirm(t, w, storetest.Execute(in.ID, "reserve"))
	w.Apply(in.ID, storetest.Do(saga.ActionAbandon))
	assert.Empty(t, claimed(t, killed(t, path)))
}

func TestAFreshFileIsEmpty(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	w.Start(saga.Start{})
	fresh := open(t, memory.Config{File: killed(t, path), Fresh: true})
	stats, err := fresh.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, stats.Counts)
	assert.Zero(t, stats.OutboxPending)
}

func TestAFileHasOneOwner(t *testing.T) {
	t.Parallel()
	_, path := newFixture(t)
	_, err := memory.Open(memory.Config{File: path})
	require.ErrorContains(t, err, "another process has it open")
}

func TestAForeignFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sagas.db")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<16), 0o600))
	_, err := memory.Open(memory.Config{File: path})
	require.Error(t, err)
}

func TestAClosedStoreWritesNothing(t *testing.T) {
	t.Parallel()
	s, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Transact(t.Context(), record.Batch{}, nothing), memory.ErrClosed)
	require.ErrorIs(t, s.Ping(t.Context()), memory.ErrClosed)
}

func TestTheClockIsTheOneGiven(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.FixedZone("east", 3600))
	w := storetest.NewFixture(t, open(t, memory.Config{Now: func() time.Time { return now }}))
	in := w.Start(saga.Start{})
	assert.Equal(t, time.Date(2026, 11, 23, 9, 0, 0, 123456000, time.UTC), in.CreatedAt)
	now = now.Add(10 * time.Second)
	commands, err := w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 1})
	require.NoError(t, err)
	assert.Len(t, commands, 1, "the lease is over by that clock")
}

func TestSettingsOfQueuesAndWhatTheyHoldBackSurviveARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sagas.db")
	s, err := memory.Open(memory.Config{File: path})
	require.NoError(t, err)
	f := storetest.NewFixture(t, s)
	_, err = s.SetQueue(t.Context(), "inventory", func(q *record.QueueSettings) error { q.Paused = true; return nil })
	require.NoError(t, err)
	f.Held = true
	in := f.Start(saga.Start{})
	require.NoError(t, s.Close())

	s, err = memory.Open(memory.Config{File: path})
	require.NoError(t, err)
	defer s.Close()
	controls, err := s.QueueControls(t.Context())
	require.NoError(t, err)
	require.Len(t, controls, 1)
	require.True(t, controls[0].Paused)
	require.True(t, controls[0].Waiting)
	claim := record.HeldClaim{Queue: "inventory", Limit: 10}
	commands, err := s.ReleaseHeld(t.Context(), claim)
	require.NoError(t, err)
	require.Empty(t, commands)
	_, err = s.SetQueue(t.Context(), "inventory", func(q *record.QueueSettings) error { q.Paused = false; return nil })
	require.NoError(t, err)
	commands, err = s.ReleaseHeld(t.Context(), claim)
	require.NoError(t, err)
	require.Len(t, commands, 1)
	require.Equal(t, storetest.Execute(in.ID, "reserve"), commands[0].ID)
}
