package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func queueRules() map[string]rule {
	return map[string]rule{
		"settings are kept, and an empty one is gone":                    with(queueSettingsKept),
		"settings of an unknown queue are refused":                       with(queueUnknown),
		"a paused queue releases nothing, and all of it after the pause": with(queuePaused),
		"a cap lets only so many out, by priority and then by age":       with(queueCapped),
		"a cap counts the commands that were out before":                 with(queueCapCountsOut),
		"the commands of a paused saga stay until it is resumed":         with(queuePausedSaga),
		"a cap and a rate hold back no compensation":                     with(queueCompensates),
		"a pause holds back compensations, which leave first":            with(queuePausesCompensation),
		"compensations leave first within a batch, too":                  with(queueCompensatesFirst),
		"a rate lets so many leave in a time":                            with(queueThrottled),
		"a released command whose publisher died needs no second place":  queuePublisherDied,
		"an unpublished command is held back from then on":               queueAdopts,
		"a refused command gives its place to another one":               with(queueRefusedPlace),
		"the commands of a saga that has ended are not sent any more":    with(queueEnded),
		"commands that are held back are counted separately":             with(queueCountsHeld),
		"a command after a rewind takes a place of its own":              with(queueRewound),
		"a redriven command is held back, too":                           with(queueRedriven),
		"a command that was never sent is withdrawn":                     with(queueWithdraws),
		"a command that was sent before is not":                          queueKeepsWhatWasSent,
		"beside releases, each command is sent or withdrawn":             with(queueWithdrawsOrReleases),
		"a release keeps its limits":                                     with(queueReleaseLimits),
		"commands that are held back without settings are released":      with(queueWithoutSettings),
		"several releases at once keep the cap":                          with(queueReleasedAtOnce),
	}
}

// set changes the settings of the queue of the step reserve.
func (f *Fixture) set(change func(*record.QueueSettings)) record.QueueSettings {
	f.t.Helper()
	after, err := f.SetQueue(f.t.Context(), "inventory", func(s *record.QueueSettings) error {
		change(s)
		return nil
	})
	require.NoError(f.t, err)
	return after
}

func (f *Fixture) release(limit int) []wire.Command {
	f.t.Helper()
	commands, err := f.ReleaseHeld(f.t.Context(), record.HeldClaim{Queue: "inventory", Limit: limit})
	require.NoError(f.t, err)
	return commands
}

// released releases until this many commands have left. A new cap takes a moment, until every replica knows it.
func (f *Fixture) released(n int) (ids []string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		ids = append(ids, commandIDs(f.release(100))...)
		return len(ids) >= n
	}, 10*time.Second, 5*time.Millisecond)
	require.Len(f.t, ids, n)
	return ids
}

// out returns the first sagas of a scope whose commands are out.
func (f *Fixture) out(scope record.Scope) []string {
	f.t.Helper()
	ids, err := f.SagasOut(f.t.Context(), "inventory", scope)
	require.NoError(f.t, err)
	return ids
}

func pause(s *record.QueueSettings)   { s.Paused = true }
func unpause(s *record.QueueSettings) { s.Paused = false }
func capAt(n int) func(*record.QueueSettings) {
	return func(s *record.QueueSettings) { s.MaxOut = n }
}

// startHeld starts sagas with these priorities whose first commands are held back. It returns the ids of the commands.
func (f *Fixture) startHeld(priorities ...uint8) (ids []string) {
	f.Held = true
	for _, priority := range priorities {
		ids = append(ids, Execute(f.Start(saga.Start{Priority: priority}).ID, "reserve").String())
	}
	return ids
}

func sagaOf(command string) string { return command[:26] }

func queuePaused(f *Fixture) {
	t := f.t
	f.set(pause)
	held := f.startHeld(0, 0)
	commands, err := f.claim(10)
	require.NoError(t, err)
	assert.Empty(t, commands, "a claim does not see them")
	assert.Empty(t, f.release(10))
	controls, err := f.QueueControls(t.Context())
	require.NoError(t, err)
	assert.True(t, controls[0].Waiting)
	f.set(unpause)
	assert.Equal(t, held, f.released(2))
	assert.Empty(t, f.release(10), "the releaser has their lease")
	controls, err = f.QueueControls(t.Context())
	require.NoError(t, err)
	assert.Empty(t, controls)
}

func queueCapped(f *Fixture) {
	t := f.t
	f.set(capAt(2))
	held := f.startHeld(1, 5, 1, 9)
	assert.Equal(t, []string{held[3], held[1]}, f.released(2))
	rows, err := f.OutboxRows(t.Context(), sagaOf(held[2]))
	require.NoError(t, err)
	assert.True(t, rows[0].HeldBack)
	assert.Equal(t, int64(1), rows[0].Before)
	assert.Empty(t, f.release(10))
	out := []string{sagaOf(held[1]), sagaOf(held[3])}
	for _, scope := range []record.Scope{nil, {"order", "other"}} {
		assert.Equal(t, out, f.out(scope))
	}
	assert.Empty(t, f.out(record.Scope{"other"}))
	f.Held = false
	f.Apply(sagaOf(held[3]), Succeed(sagaOf(held[3]), "reserve", `{}`))
	assert.Equal(t, []string{held[0]}, commandIDs(f.release(10)), "a reply frees a place")
	assert.Empty(t, f.release(10))
	assert.Equal(t, []string{sagaOf(held[0]), sagaOf(held[1])}, f.out(nil))
	f.set(capAt(3))
	assert.Equal(t, []string{held[2]}, commandIDs(f.release(10)), "a higher cap lets another one out")
	f.set(capAt(1))
	f.startHeld(0)
	f.Held = false
	f.Apply(sagaOf(held[1]), Fail(sagaOf(held[1]), "reserve"))
	f.Apply(sagaOf(held[0]), Fail(sagaOf(held[0]), "reserve"))
	assert.Empty(t, f.release(10), "a lower cap waits for what is out")
	f.Apply(sagaOf(held[2]), Do(saga.ActionAbandon))
	assert.Len(t, f.release(10), 1)
}

func queueCapCountsOut(f *Fixture) {
	t := f.t
	published, publishing := f.Start(saga.Start{}), f.Start(saga.Start{})
	f.confirm(Execute(published.ID, "reserve"))
	f.set(capAt(3))
	held := f.startHeld(0, 0)
	assert.Equal(t, held[:1], f.released(1), "two are out")
	assert.Empty(t, f.release(10))
	f.Held = false
	f.Apply(published.ID, Succeed(published.ID, "reserve", `{}`))
	assert.Equal(t, held[1:], commandIDs(f.release(10)))
	f.Apply(publishing.ID, Succeed(publishing.ID, "reserve", `{}`))
}

// failing returns a saga whose step charge has failed, so that its compensation is in the outbox.
func (f *Fixture) failing() string {
	id := f.Start(saga.Start{}).ID
	f.Apply(id, Succeed(id, "reserve", `{}`), Fail(id, "charge"))
	return id
}

func queueCompensates(f *Fixture) {
	t := f.t
	f.set(func(s *record.QueueSettings) { s.MaxOut, s.Rate = 1, 0.01 })
	held := f.startHeld(9, 9)
	assert.Equal(t, held[:1], f.released(1))
	f.Held = false
	first := f.Start(saga.Start{})
	f.confirm(Execute(first.ID, "reserve"))
	f.Held = true // as if the queue had been paused
	f.Apply(first.ID, Succeed(first.ID, "reserve", `{}`), Fail(first.ID, "charge"))
	commands := f.release(10)
	require.Len(t, commands, 1, "it needs neither a place nor a token")
	assert.Equal(t, saga.Compensate, commands[0].ID.Direction)
}

func queuePausesCompensation(f *Fixture) {
	t := f.t
	f.set(pause)
	held := f.startHeld(9)
	id := f.failing()
	assert.Empty(t, f.release(10))
	f.set(func(s *record.QueueSettings) { s.Paused, s.MaxOut = false, 1 })
	commands := f.release(1)
	require.Len(t, commands, 1)
	assert.Equal(t, id+"/reserve/compensate/1", commands[0].ID.String())
	assert.Equal(t, held, f.released(1), "a compensation takes no place")
}

func queueCompensatesFirst(f *Fixture) {
	t := f.t
	f.set(pause)
	held := f.startHeld(9, 9)
	id := f.failing()
	f.set(unpause)
	commands := f.release(10) // as one batch
	require.GreaterOrEqual(t, len(commands), 3)
	assert.Equal(t, append([]string{id + "/reserve/compensate/1"}, held...), commandIDs(commands)[:3])
}

func queueThrottled(f *Fixture) {
	t := f.t
	f.set(func(s *record.QueueSettings) { s.Rate = 2 })
	f.startHeld(make([]uint8, 30)...)
	assert.Len(t, f.release(100), 1, "the first one leaves at once")
	f.set(func(s *record.QueueSettings) { s.Rate = 20 })
	began, left := time.Now(), 0
	require.Eventually(t, func() bool { // a busy machine may let the last call take a whole burst
		left += len(f.release(100))
		return left >= 10
	}, 10*time.Second, 5*time.Millisecond)
	assert.Greater(t, time.Since(began), 250*time.Millisecond, "10 at 20 a second, less the burst")
	assert.Less(t, left, 15)
	f.set(func(s *record.QueueSettings) { s.Rate = record.MinQueueRate })
	assert.LessOrEqual(t, len(f.release(100)), 4, "what was allowed already")
	assert.Empty(t, f.release(100))
}

func queuePublisherDied(t *testing.T, open Open) {
	t.Helper()
	f := NewFixture(t, open(t, time.Millisecond))
	f.set(capAt(1))
	held := f.startHeld(0, 0)
	assert.Equal(t, held[:1], f.released(1))
	for range 3 {
		assert.Equal(t, held[:1], f.released(1), "its lease is over, and it counts once")
	}
	rows, err := f.OutboxRows(t.Context(), sagaOf(held[0]))
	require.NoError(t, err)
	assert.Positive(t, rows[0].Attempts)
}

func queueAdopts(t *testing.T, open Open) {
	t.Helper()
	f := NewFixture(t, open(t, time.Millisecond))
	late := f.Start(saga.Start{Priority: 9}) // by a replica that did not know of the pause
	f.set(pause)
	held := f.startHeld(3)
	require.Eventually(t, func() bool {
		assert.Empty(t, f.release(10))
		rows, err := f.OutboxRows(t.Context(), late.ID)
		require.NoError(t, err)
		return rows[0].HeldBack
	}, 10*time.Second, time.Millisecond)
	f.set(unpause)
	assert.Equal(t, []string{Execute(late.ID, "reserve").String(), held[0]}, f.released(2))
}

func queueRefusedPlace(f *Fixture) {
	t := f.t
	f.set(capAt(1))
	held := f.startHeld(9, 0)
	require.Equal(t, held[:1], f.released(1))
	refused := Execute(sagaOf(held[0]), "reserve")
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: refused, Reason: "too large", RetryAfter: time.Hour}}))
	assert.Equal(t, held[1:], commandIDs(f.release(10)))
	rows, err := f.OutboxRows(t.Context(), refused.Saga)
	require.NoError(t, err)
	assert.False(t, rows[0].HeldBack)
	assert.Equal(t, "too large", rows[0].Reason)
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: refused}}))
	assert.Empty(t, f.release(10), "its wait is over, but the place is taken")
	f.Held = false
	f.Apply(sagaOf(held[1]), Succeed(sagaOf(held[1]), "reserve", `{}`))
	commands := f.release(10)
	require.Equal(t, held[:1], commandIDs(commands))
	assert.True(t, commands[0].Suspect)
}

func queueRewound(f *Fixture) {
	t := f.t
	f.set(capAt(1))
	held := f.startHeld(0)
	require.Equal(t, held, f.released(1))
	id := sagaOf(held[0])
	rewind := Do(saga.ActionRewind)
	rewind.To = "reserve"
	f.Held = false
	f.Apply(id, Succeed(id, "reserve", `{}`), Fail(id, "charge"))
	id = f.Start(saga.Start{}).ID
	f.Held = true
	f.Apply(id, Succeed(id, "reserve", `{}`), rewind, Fail(id, "charge"), Compensated(id, "reserve"))
	again := id + "/reserve/execute-2/1"
	assert.Contains(t, f.released(2), again, "beside it the compensation, which was held back, too")
	next := f.startHeld(0)
	assert.Empty(t, f.release(10), "it has the place")
	reply := Succeed(id, "reserve", `{}`)
	reply.Command.Round = 2
	f.Held = false
	f.Apply(id, reply)
	assert.Equal(t, next, commandIDs(f.release(10)))
}

func queueReleasedAtOnce(f *Fixture) {
	t := f.t
	const most = 5
	f.set(capAt(most))
	f.startHeld(make([]uint8, 40)...)
	f.released(most)
	found := make(chan int)
	const callers = 8
	for range callers {
		go func() {
			n := 0
			for range 5 {
				commands, err := f.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
				assert.NoError(t, err)
				n += len(commands)
			}
			found <- n
		}()
	}
	for range callers {
		assert.Zero(t, <-found)
	}
	f.set(capAt(2 * most))
	for range callers {
		go func() {
			commands, err := f.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
			assert.NoError(t, err)
			found <- len(commands)
		}()
	}
	sum := 0
	for range callers {
		sum += <-found
	}
	sum += len(f.release(10))
	assert.Equal(t, most, sum)
}

func queuePausedSaga(f *Fixture) {
	f.set(pause)
	ids := f.startHeld(0, 0)
	id, _, _ := strings.Cut(ids[0], "/")
	f.Apply(id, Do(saga.ActionPause))
	f.set(unpause)
	assert.Equal(f.t, ids[1:], f.released(1))
	assert.Empty(f.t, f.release(100))
	f.Apply(id, Do(saga.ActionResume))
	assert.Equal(f.t, ids[:1], f.released(1))
}
