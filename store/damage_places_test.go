package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// A saga whose definition SQL has changed awaits nothing that a worker would answer: in a capped queue it takes no place from others.
func TestASagaWithTheDefinitionOfAnotherTakesNoPlace(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w, d := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
	_, _, err := w.PutDefinition(t.Context(), storetest.Definition(t, "other", `{"steps": [
		{"name": "first", "command": "inventory.first"}, {"name": "reserve", "command": "inventory.reserve"},
		{"name": "charge", "command": "inventory.charge", "when": "input.a"}]}`))
	require.NoError(t, err)
	capped := func(out int) {
		_, err := w.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { s.MaxOut = out; return nil })
		require.NoError(t, err)
	}
	released := func() (commands []wire.Command) {
		require.Eventually(t, func() bool {
			commands, err = w.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
			require.NoError(t, err)
			return len(commands) > 0
		}, 10*time.Second, 5*time.Millisecond)
		return commands
	}
	changed := func(id, definition string) { d.exec(`update sagas set definition = $2 where id = $1`, id, definition) }

	before := w.Start(saga.Start{}).ID
	d.exec(`delete from outbox where saga_id = $1`, before) // it was published
	changed(before, "other")
	capped(1)
	w.Held = true
	first, second, third := w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID
	assert.Equal(t, first, released()[0].ID.Saga, "the command that was out before the cap is not counted")
	for _, c := range [][2]string{{first, "other"}, {second, "lost"}} {
		more, err := w.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
		require.NoError(t, err)
		require.Empty(t, more)
		changed(c[0], c[1])
		assert.Len(t, released(), 1, "a place is free")
	}
	d.exec(`update sagas set progress = '{"p": "forward", "n": 1, "s": [{"s": "running", "o": "\u0000\ud800"}, {}, {}]}' where id = $1`, third)
	last := w.Start(saga.Start{})
	assert.Len(t, released(), 1, "what cannot be read has no place")
	d.exec(`insert into queue_places (queue, saga_id, command) select 'inventory', $1, 'charge/execute/1'`, w.Apply(last.ID, storetest.Succeed(last.ID, "reserve", `{}`)).ID)
	last = w.Start(saga.Start{})
	assert.Len(t, released(), 1, "a place of another queue holds none up")
	loads, err := w.QueueLoads(t.Context())
	require.NoError(t, err)
	for _, load := range loads {
		if load.Queue == "payments" {
			continue
		}
		assert.EqualValues(t, 1, load.CommandsOut, load.Queue)
		assert.WithinDuration(t, last.CreatedAt, load.Oldest, time.Minute)
	}
}

// A key whose saga SQL has deleted, or ended, is free.
func TestTheBusinessKeyOfASagaThatIsGoneIsFree(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w, d := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
	claimed := func(key string) record.StartKind {
		outcome, err := w.TryStart(w.Claim(storetest.NewID(), "", key), saga.Start{})
		require.NoError(t, err)
		return outcome.Kind
	}
	for key, edit := range map[string]string{
		"deleted": `delete from sagas where id = $1`, "another's": `update sagas set key = 'x' where id = $1`, "ended": `update sagas set status = 'completed', finished_at = now(), wake_at = null where id = $1`,
	} {
		id := w.Start(saga.Start{Key: key}).ID
		assert.Equal(t, record.StartKeyInUse, claimed(key), key)
		d.exec(edit, id)
		assert.Equal(t, record.StartFree, claimed(key), key)
	}
}

// A lease that no replica has taken for so long ends at once: it would keep a replica's work from all of them, forever.
func TestALeaseThatEndsTooLateIsFree(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	d.exec(`alter table leases alter claimed_until drop not null`)
	for _, until := range []string{"'infinity'", "now() + interval '6 minutes'", "'-infinity'", "null"} {
		held, err := s.HoldLease(t.Context(), "retention", "one", time.Minute)
		require.NoError(t, err)
		require.True(t, held)
		held, err = s.HoldLease(t.Context(), "retention", "two", time.Minute)
		require.NoError(t, err)
		require.False(t, held)
		d.exec(`update leases set claimed_until = ` + until)
		held, err = s.HoldLease(t.Context(), "retention", "two", time.Minute)
		require.NoError(t, err)
		assert.True(t, held, until)
		d.exec(`delete from leases`)
	}
}

// Commands that cannot be published take neither a place nor a token from those that can, however many there are and however early.
func TestBrokenCommandsThatAreHeldBackDelayNoOther(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]record.QueueSettings{"capped": {MaxOut: 1}, "throttled": {Rate: 0.01}} {
		url := migrated(t)
		w, d := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
		live := w.Start(saga.Start{}).ID
		d.exec(`delete from outbox`)
		junk := func(of, command string, n int) {
			d.exec(`insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason, held_rank)
				select $1, $2 || g, 'inventory', '2000-01-01', '{}', 'infinity', false, 0, '', 1 from generate_series(1, $3::integer) g`, of, command, n)
		}
		junk(live, "junk/execute/", 30_000)
		junk(live, "malformed", 10)
		junk("gone", "reserve/execute/", 2500)
		d.exec(`update outbox set created_at = 'infinity' where command like '%7'`)
		w.Held = true
		healthy := w.Start(saga.Start{}).ID
		_, err := w.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { s.MaxOut, s.Rate = settings.MaxOut, settings.Rate; return nil })
		require.NoError(t, err)
		d.exec(`update queue_settings set controlled_since = '294276-12-31 23:59:59+00', counted_at = now()`)
		begun := time.Now()
		var released []wire.Command
		for len(released) == 0 && time.Since(begun) < 20*time.Second {
			released, err = w.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 100})
		}
		require.Len(t, released, 1, "%s: %v", name, err)
		assert.Equal(t, healthy, released[0].ID.Saga, name)
		require.ErrorContains(t, err, "cannot be published", name)
		assert.Less(t, len(err.Error()), 20_000, "one text for many of them")
		t.Log(name, time.Since(begun))
	}
}

// cappedAtOne returns a store whose queue lets one command out, holding back all that are sent, and a function that releases.
func cappedAtOne(t *testing.T) (w *storetest.Fixture, d damage, released func() []wire.Command) {
	t.Helper()
	url := migrated(t)
	w, d = storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
	_, err := w.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { s.MaxOut = 1; return nil })
	require.NoError(t, err)
	w.Held = true
	return w, d, func() []wire.Command {
		commands, err := w.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
		require.NoError(t, err)
		return commands
	}
}

// A saga on which nothing can be decided sends no other attempt when its timeout is over. Then its command takes no place any more.
func TestThePlaceOfASagaThatCannotBeReadEndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	w, d, released := cappedAtOne(t)
	first := w.Start(saga.Start{}).ID
	require.Eventually(t, func() bool { return len(released()) == 1 }, 10*time.Second, 5*time.Millisecond)
	d.exec(`delete from outbox where saga_id = $1`, first)
	second := w.Start(saga.Start{}).ID
	d.exec(`update sagas set data = '{"a":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}' where id = $1`, first)
	d.exec(`update sagas set created_at = created_at - interval '80 seconds' where id = $1`, first)
	assert.Empty(t, released(), "its timeout of 30 s is over for less than a minute")
	d.exec(`update sagas set created_at = created_at - interval '20 seconds' where id = $1`, first)
	taken := released()
	require.Len(t, taken, 1)
	assert.Equal(t, second, taken[0].ID.Saga)
}

// An attempt does not end later than its timeout allows, so what SQL has written there holds no place.
func TestAPlaceDoesNotOutliveTheTimeoutOfItsStep(t *testing.T) {
	t.Parallel()
	w, d, released := cappedAtOne(t)
	out := w.Start(saga.Start{}).ID
	require.Eventually(t, func() bool { return len(released()) == 1 }, 10*time.Second, 5*time.Millisecond)
	at := func(d string) string {
		return `progress = regexp_replace(progress::text, '"d": ?[0-9]+', '"d":` + d + `')::json`
	}
	for _, edit := range []string{
		`created_at = created_at + interval '4 minutes'`, // a clock that was set back
		`created_at = 'infinity'`, `created_at = '9999-01-01'`, `created_at = created_at + interval '6 minutes'`,
		at("604800000000"), at("4000000000000000"), at("9000000000000000000"), at("-1"), at("0.5"), at("null"), at(`"soon"`),
		`status = 'scheduled', start_at = created_at`,
	} {
		d.exec(`delete from outbox where saga_id = $1`, out)
		next := w.Start(saga.Start{}).ID
		require.Empty(t, released(), "before: %s", edit)
		d.exec(`update sagas set `+edit+` where id = $1`, out)
		taken := released()
		if strings.Contains(edit, "4 minutes") {
			assert.Empty(t, taken, edit)
			d.exec(`update sagas set created_at = created_at - interval '4 minutes' where id = $1`, out)
			d.exec(`delete from outbox where saga_id = $1`, next)
			continue
		}
		require.Len(t, taken, 1, edit)
		assert.Equal(t, next, taken[0].ID.Saga, edit)
		out = next
	}
}

// The worker of a saga on which nothing can be decided has answered, and the answer is a dead letter: nothing is out any more.
func TestTheAnswerOfASagaThatCannotBeReadFreesItsPlace(t *testing.T) {
	t.Parallel()
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: migrated(t)}))
	capped := func(out int) {
		_, err := w.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { s.MaxOut = out; return nil })
		require.NoError(t, err)
	}
	w.Held = true
	released := func() (ids []string) {
		commands, err := w.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
		require.NoError(t, err)
		for i := range commands {
			ids = append(ids, commands[i].ID.Saga)
		}
		return ids
	}
	capped(1)
	first, second, third := w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID
	require.Eventually(t, func() bool { return len(released()) == 1 }, 10*time.Second, 5*time.Millisecond)
	command := func(id string, attempt int) saga.CommandID {
		return saga.CommandID{Saga: id, Step: "reserve", Direction: saga.Execute, Attempt: attempt}
	}
	answered := func(commands ...saga.CommandID) {
		changes := record.Changes{Answered: commands}
		for _, c := range commands {
			changes.DeadLetters = append(changes.DeadLetters, record.DeadLetter{
				ID: storetest.NewID(), Source: record.SourceReply, Reason: record.ReasonUnreadableSaga, SagaID: c.Saga, CommandID: c.String(),
			})
		}
		require.NoError(t, w.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) { return changes, nil }))
	}
	answered(command(first, 2), command(third, 1), command("\x00", 1))
	assert.Empty(t, released(), "its command is still out")
	answered(command(first, 1))
	assert.Equal(t, []string{second}, released())

	capped(0)
	capped(2)
	var more []string
	require.Eventually(t, func() bool {
		more = released()
		return len(more) > 0
	}, 10*time.Second, 5*time.Millisecond, "a new cap does not count it either")
	assert.Equal(t, []string{third}, more)
}

// A held command whose saga cannot be read must not make a command that is out look answered: a queue without workers would be healthy.
func TestHeldCommandsOfDamagedSagasHideNoneThatAreOut(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w, d := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})), damage{t, connect(t, url)}
	out := w.Start(saga.Start{})
	d.exec(`delete from outbox`) // it was published
	w.Held = true
	for _, damaged := range []string{
		`delete from sagas`, `update sagas set definition = 'lost'`, `update sagas set step_names = '{x}'`, `update sagas set progress = '{}'`,
		`update sagas set status = 'completed', finished_at = now(), wake_at = null`,
	} {
		d.exec(damaged+` where id = $1`, w.Start(saga.Start{}).ID)
	}
	w.Start(saga.Start{})
	loads, err := w.QueueLoads(t.Context())
	require.NoError(t, err)
	require.Len(t, loads, 1)
	assert.Equal(t, record.QueueLoad{Queue: "inventory", CommandsOut: 1, HeldBack: 6, Oldest: loads[0].Oldest}, loads[0])
	assert.WithinDuration(t, out.CreatedAt, loads[0].Oldest, time.Second)
}
