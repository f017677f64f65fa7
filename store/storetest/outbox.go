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
		"the writer of a command has its lease":                  with(writerHasLease),
		"a command with an expired lease is claimed unchanged":   leaseRunsOut,
		"a claim is a new lease":                                 with(claimIsLease),
		"a released command is claimed at once":                  with(releasedAtOnce),
		"a refused command waits, with the reason":               with(refusedWaits),
		"a refused command comes back when its wait is over":     with(refusedComesBack),
		"the longest-waiting command is claimed first":           with(longestFirst),
		"a confirmed command is deleted":                         with(confirmedIsGone),
		"confirming a missing command is not an error":           with(confirmedTwice),
		"marking a missing command is not an error":              with(marksNothing),
		"queue loads count outstanding and unpublished commands": with(queueLoads),
		"the body of a command is returned byte by byte":         with(bodyAsItWas),
	}
}

func writerHasLease(f *Fixture) {
	t := f.t
	f.Start(saga.Start{})
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
}

func leaseRunsOut(t *testing.T, open Open) {
	t.Helper()
	f := NewFixture(t, open(t, time.Millisecond))
	var written []wire.Command
	claim := f.Claim(NewID(), "", "")
	err := f.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(l record.Loaded) (record.Changes, error) {
			changes, err := f.Begin(l, saga.Start{ID: claim.SagaID, Priority: 9, TraceParent: "00-aa-bb-01"})
			written = changes.Commands
			return changes, err
		})
	require.NoError(t, err)
	var claimed []wire.Command
	require.Eventually(t, func() bool {
		claimed, err = f.claim(10)
		return err != nil || len(claimed) > 0
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, written, claimed)
	rows, err := f.OutboxRows(t.Context(), claim.SagaID)
	require.NoError(t, err)
	assert.Equal(t, 1, rows[0].Attempts, "the first try failed")
}

func claimIsLease(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{})
	require.NoError(t, f.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(in.ID, "reserve")}))
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Len(t, commands, 1)
	commands, err = f.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
}

func releasedAtOnce(f *Fixture) {
	t := f.t
	f.Start(saga.Start{})
	second := f.Start(saga.Start{})
	require.NoError(t, f.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(second.ID, "reserve")}))
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Equal(t, []string{Execute(second.ID, "reserve").String()}, commandIDs(commands))
	rows, err := f.OutboxRows(t.Context(), second.ID)
	require.NoError(t, err)
	assert.Zero(t, rows[0].Attempts, "it was never tried")
	require.NoError(t, f.ReleaseOutbox(t.Context(), nil))
}

func refusedWaits(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{})
	command := Execute(in.ID, "reserve")
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{
		{Command: command, Reason: "no queue\x00\xff", RetryAfter: time.Hour},
	}))
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
	rows, err := f.OutboxRows(t.Context(), in.ID)
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

func refusedComesBack(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{})
	refused := []record.RefusedCommand{{Command: Execute(in.ID, "reserve"), Reason: "no queue"}}
	require.NoError(t, f.MarkRefused(t.Context(), refused))
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Len(t, commands, 1)
	rows, err := f.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Equal(t, 1, rows[0].Attempts, "the claim starts the second try, which has not failed")
	assert.Equal(t, "no queue", rows[0].Reason, "the reason is kept until the confirm")
}

func longestFirst(f *Fixture) {
	t := f.t
	first, second, third := f.Start(saga.Start{}), f.Start(saga.Start{}), f.Start(saga.Start{})
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{
		{Command: Execute(first.ID, "reserve"), RetryAfter: -time.Second}, // tried again, many times
		{Command: Execute(second.ID, "reserve"), RetryAfter: -time.Minute},
		{Command: Execute(third.ID, "reserve"), RetryAfter: -time.Hour},
	}))
	commands, err := f.claim(2)
	require.NoError(t, err)
	want := []string{Execute(second.ID, "reserve").String(), Execute(third.ID, "reserve").String()}
	assert.Equal(t, want, commandIDs(commands), "equal waits: the oldest command first")
}

func confirmedIsGone(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{})
	command := Execute(in.ID, "reserve")
	f.confirm(command)
	rows, err := f.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Empty(t, rows)
	require.NoError(t, f.ReleaseOutbox(t.Context(), []saga.CommandID{command}))
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: command}}))
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands)
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Zero(t, stats.OutboxPending)
	assert.Zero(t, stats.OutboxOldest)
}

func confirmedTwice(f *Fixture) {
	command := Execute(f.Start(saga.Start{}).ID, "reserve")
	f.confirm(command)
	f.confirm(command, Execute(NewID(), "reserve"))
}

func (f *Fixture) confirm(commands ...saga.CommandID) {
	f.t.Helper()
	err := f.Transact(f.t.Context(), record.Batch{Confirmed: commands},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(f.t, err)
}

func marksNothing(f *Fixture) {
	t := f.t
	require.NoError(t, f.MarkRefused(t.Context(), nil))
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: Execute(NewID(), "reserve")}}))
	require.NoError(t, f.ReleaseOutbox(t.Context(), []saga.CommandID{Execute(NewID(), "reserve")}))
}

func queueLoads(f *Fixture) {
	t := f.t
	first, second, third := f.Start(saga.Start{}), f.Start(saga.Start{}), f.Start(saga.Start{})
	f.Complete(third.ID)
	first = f.Apply(first.ID, Succeed(first.ID, "reserve", `{}`))
	for _, step := range []string{"reserve", "charge", "confirm"} {
		f.confirm(Execute(first.ID, step), Execute(third.ID, step))
	}
	loads, err := f.QueueLoads(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.QueueLoad{
		{Queue: "inventory", CommandsOut: 1, Oldest: second.UpdatedAt, Unpublished: 1},
		{Queue: "payments", CommandsOut: 1, Oldest: first.UpdatedAt},
	}, loads)

	f.Apply(first.ID, Fail(first.ID, "charge"))
	loads, err = f.QueueLoads(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.QueueLoad{
		{Queue: "inventory", CommandsOut: 2, Oldest: second.UpdatedAt, Unpublished: 2},
	}, loads, "the compensation of the first saga is out too")
}

func bodyAsItWas(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{Data: []byte(`{"z":1e300,"a":"<&>é\u00e9 \u2028","n":9007199254740993}`)})
	commands := f.claimAll()
	require.Len(t, commands, 1)
	assert.Equal(t, `{"data":`+string(in.Data)+`}`, string(commands[0].Body))
}
