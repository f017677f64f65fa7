package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func outboxRules() map[string]rule {
	return map[string]rule{
		"who writes a command has its lease":                  with(writerHasLease),
		"a command whose lease ran out is claimed, as it was": leaseRunsOut,
		"a claim is a lease again":                            with(claimIsLease),
		"a released command is claimed at once":               with(releasedAtOnce),
		"a refused command waits, with the reason":            with(refusedWaits),
		"a refused command comes back when its wait is over":  with(refusedComesBack),
		"what has waited longest is claimed first":            with(longestFirst),
		"a confirmed command is gone":                         with(confirmedIsGone),
		"confirming what is not there is no failure":          with(confirmedTwice),
		"marking what is not there is no failure":             with(marksNothing),
		"queues know what is out and what is not published":   with(queueLoads),
		"the body of a command comes out byte by byte":        with(bodyAsItWas),
	}
}

func writerHasLease(w *World) {
	t := w.t
	w.Start(saga.Start{})
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
}

func leaseRunsOut(t *testing.T, open Open) {
	t.Helper()
	w := NewWorld(t, open(t, time.Millisecond))
	var written []wire.Command
	claim := w.Claim(NewID(), "", "")
	err := w.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(l record.Loaded) (record.Changes, error) {
			changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Priority: 9, TraceParent: "00-aa-bb-01"})
			written = changes.Commands
			return changes, err
		})
	require.NoError(t, err)
	var claimed []wire.Command
	require.Eventually(t, func() bool {
		claimed, err = w.claim(10)
		return err != nil || len(claimed) > 0
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, written, claimed)
	rows, err := w.OutboxRows(t.Context(), claim.SagaID)
	require.NoError(t, err)
	assert.Equal(t, 1, rows[0].Attempts, "the first try did not come off")
}

func claimIsLease(w *World) {
	t := w.t
	in := w.Start(saga.Start{})
	require.NoError(t, w.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(in.ID, "reserve")}))
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Len(t, commands, 1)
	commands, err = w.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
}

func releasedAtOnce(w *World) {
	t := w.t
	w.Start(saga.Start{})
	second := w.Start(saga.Start{})
	require.NoError(t, w.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(second.ID, "reserve")}))
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Equal(t, []string{Execute(second.ID, "reserve").String()}, commandIDs(commands))
	rows, err := w.OutboxRows(t.Context(), second.ID)
	require.NoError(t, err)
	assert.Zero(t, rows[0].Attempts, "it was not tried")
	require.NoError(t, w.ReleaseOutbox(t.Context(), nil))
}

func refusedWaits(w *World) {
	t := w.t
	in := w.Start(saga.Start{})
	command := Execute(in.ID, "reserve")
	require.NoError(t, w.MarkRefused(t.Context(), []record.RefusedCommand{
		{Command: command, Reason: "no queue\x00\xff", RetryAfter: time.Hour},
	}))
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.Equal(t, command.String(), rows[0].CommandID)
	assert.Equal(t, "inventory", rows[0].Queue)
	assert.Equal(t, in.UpdatedAt, rows[0].CreatedAt)
	assert.False(t, rows[0].RefusedAt.Before(in.UpdatedAt))
	assert.Greater(t, rows[0].RetryAt, rows[0].RefusedAt.Add(time.Minute))
	assert.Contains(t, rows[0].Reason, "no queue")
	assert.Equal(t, 1, rows[0].Attempts)
}

func refusedComesBack(w *World) {
	t := w.t
	in := w.Start(saga.Start{})
	refused := []record.RefusedCommand{{Command: Execute(in.ID, "reserve"), Reason: "no queue"}}
	require.NoError(t, w.MarkRefused(t.Context(), refused))
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Len(t, commands, 1)
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Equal(t, 1, rows[0].Attempts, "the claim begins the second try, which has not failed")
	assert.Equal(t, "no queue", rows[0].Reason, "it is not forgotten before it is confirmed")
}

func longestFirst(w *World) {
	t := w.t
	first, second, third := w.Start(saga.Start{}), w.Start(saga.Start{}), w.Start(saga.Start{})
	require.NoError(t, w.MarkRefused(t.Context(), []record.RefusedCommand{
		{Command: Execute(first.ID, "reserve"), RetryAfter: -time.Second}, // tried again and again
		{Command: Execute(second.ID, "reserve"), RetryAfter: -time.Minute},
		{Command: Execute(third.ID, "reserve"), RetryAfter: -time.Hour},
	}))
	commands, err := w.claim(2)
	require.NoError(t, err)
	want := []string{Execute(second.ID, "reserve").String(), Execute(third.ID, "reserve").String()}
	assert.Equal(t, want, commandIDs(commands), "and among themselves the oldest command first")
}

func confirmedIsGone(w *World) {
	t := w.t
	in := w.Start(saga.Start{})
	command := Execute(in.ID, "reserve")
	w.confirm(command)
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Empty(t, rows)
	require.NoError(t, w.ReleaseOutbox(t.Context(), []saga.CommandID{command}))
	require.NoError(t, w.MarkRefused(t.Context(), []record.RefusedCommand{{Command: command}}))
	commands, err := w.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
	stats, err := w.Stats(t.Context())
	require.NoError(t, err)
	assert.Zero(t, stats.OutboxPending)
	assert.Zero(t, stats.OutboxOldest)
}

func confirmedTwice(w *World) {
	command := Execute(w.Start(saga.Start{}).ID, "reserve")
	w.confirm(command)
	w.confirm(command, Execute(NewID(), "reserve"))
}

func (w *World) confirm(commands ...saga.CommandID) {
	w.t.Helper()
	err := w.Transact(w.t.Context(), record.Batch{Confirmed: commands},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(w.t, err)
}

func marksNothing(w *World) {
	t := w.t
	require.NoError(t, w.MarkRefused(t.Context(), nil))
	require.NoError(t, w.MarkRefused(t.Context(), []record.RefusedCommand{{Command: Execute(NewID(), "reserve")}}))
	require.NoError(t, w.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(NewID(), "reserve")}))
}

func queueLoads(w *World) {
	t := w.t
	first, second, third := w.Start(saga.Start{}), w.Start(saga.Start{}), w.Start(saga.Start{})
	w.Complete(third.ID)
	first = w.Apply(first.ID, Succeed(first.ID, "reserve", `{}`))
	for _, step := range []string{"reserve", "charge", "confirm"} {
		w.confirm(Execute(first.ID, step), Execute(third.ID, step))
	}
	loads, err := w.QueueLoads(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.QueueLoad{
		{Queue: "inventory", CommandsOut: 1, Oldest: second.UpdatedAt, Unpublished: 1},
		{Queue: "payments", CommandsOut: 1, Oldest: first.UpdatedAt},
	}, loads)

	w.Apply(first.ID, Fail(first.ID, "charge"))
	loads, err = w.QueueLoads(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.QueueLoad{
		{Queue: "inventory", CommandsOut: 2, Oldest: second.UpdatedAt, Unpublished: 2},
	}, loads, "the compensation of the first saga is out too")
}

func bodyAsItWas(w *World) {
	t := w.t
	in := w.Start(saga.Start{Data: []byte(`{"z":1e300,"a":"<&>é\u00e9 \u2028","n":9007199254740993}`)})
	commands := w.claimAll()
	require.Len(t, commands, 1)
	assert.Equal(t, `{"data":`+string(in.Data)+`}`, string(commands[0].Body))
}
