package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// damage changes rows by hand.
type damage struct {
	t    *testing.T
	conn *pgx.Conn
}

func (d damage) exec(statement string, arguments ...any) {
	d.t.Helper()
	_, err := d.conn.Exec(d.t.Context(), statement, arguments...)
	require.NoError(d.t, err)
}

func (d damage) BreakSaga(id string) {
	d.exec(`update sagas set progress = '{"p": "sideways", "n": 1, "s": [{}, {}, {}]}' where id = $1`, id)
}

func (d damage) DropSaga(id string) { d.exec(`delete from sagas where id = $1`, id) }

func (d damage) BreakDefinition(name string, version int) {
	d.exec(`update definitions set body = '{"steps": "later"}' where name = $1 and version = $2`, name, version)
}

func (d damage) DropDefinition(name string, version int) {
	d.exec(`delete from definitions where name = $1 and version = $2`, name, version)
}

func TestPostgresPassesTheDamageSuite(t *testing.T) {
	t.Parallel()
	storetest.RunDamaged(t, func(t *testing.T, lease time.Duration) (storetest.Store, storetest.Damage) {
		t.Helper()
		url := migrated(t)
		return open(t, store.Config{DatabaseURL: url, LeaseFor: lease}), damage{t, connect(t, url)}
	})
}

// withoutConstraints lets rows hold values that no version of the program would write.
const withoutConstraints = `do $$ declare c record; begin
	for c in select conname, conrelid::regclass as of from pg_constraint
		where contype = 'c' and connamespace = 'public'::regnamespace loop
		execute format('alter table %s drop constraint %I', c.of, c.conname);
	end loop;
	for c in select attname, attrelid::regclass as of from pg_attribute join pg_class k on k.oid = attrelid
		where attnotnull and attnum > 0 and relkind = 'r' and relname in ('sagas', 'outbox', 'saga_decisions', 'dead_letters')
			and attname not in ('id', 'saga_id', 'seq', 'command') loop
		execute format('alter table %s alter column %I drop not null', c.of, c.attname);
	end loop;
end $$`

// brokenColumns are assignments of values that this version cannot handle.
func brokenColumns() []string {
	broken := []string{
		`status = 'parked'`, `attention_reason = 'boredom', attention_since = now(), attention_step = '', attention_message = ''`,
		`attention_reason = 'overdue', attention_since = now(), attention_step = 'reserve', progress = '{"s": [{"s": "\u0000", "err": {"code": "\ud800"}}, {}, {}]}'`,
		`attention_reason = 'overdue'`, `attention_reason = 'overdue', attention_since = now()`,
		`step_names = '{only}'`, `step_names = '{a,NULL,c}'`, `step_names = '{{a,b,c},{d,e,f}}'`, `step_names = null`,
		`labels = '[1]'`, `labels = '{"a": 1}'`, `labels = null`, `data = '[]'`, `data = '7'`, `data = null`,
		`data = '{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}'`,
		`version = -1`, `version = 0`, `version = null`, `priority = -1`, `priority = 300`, `priority = null`,
		`revision = -5`, `revision = 9223372036854775807`, `revision = null`, `key = null`, `definition = null`,
		`trace_parent = null`, `status = null`, `progress = null`, `progress = '[]'`, `progress = '{}'`,
	}
	for _, column := range []string{"created_at", "updated_at", "start_at", "deadline_at", "finished_at", "wake_at"} {
		for _, at := range []string{"infinity", "-infinity", "200000-01-01", "4000-01-01 BC"} {
			broken = append(broken, fmt.Sprintf(`%s = '%s'`, column, at))
		}
	}
	for _, column := range []string{"created_at", "updated_at"} {
		broken = append(broken, column+` = null`)
	}
	for _, progress := range []string{
		`{"p": "sideways", "n": 1, "s": [{}, {}, {}]}`, `{"p": 1, "n": 1, "s": [{}, {}, {}]}`, `{"p": "forward", "n": 1, "s": {}}`,
		`{"p": "forward", "n": 1, "s": "x"}`, `{"p": "forward", "n": 1, "s": [1, "a", null]}`, `{"p": "forward", "n": 1, "s": [{}]}`,
		`{"p": "forward", "n": -1, "s": [{}, {}, {}]}`, `{"p": "forward", "n": 1e40, "s": [{}, {}, {}]}`,
		`{"p": "forward", "n": 1, "s": [{"s": "dreaming"}, {}, {}]}`, `{"p": "forward", "n": 1, "s": [{"a": -1}, {}, {}]}`,
		`{"p": "forward", "n": 1, "s": [{"s": "running", "d": 9e18}, {}, {}]}`, `{"p": "forward", "n": 1, "s": [{"s": "running", "d": "x"}, {}, {}]}`,
		`{"p": "forward", "n": 1, "s": [{"s": "running", "d": 9223372036854775807}, {}, {}]}`,
		`{"p": "forward", "n": 1, "reopened_from": "limbo", "s": [{}, {}, {}]}`,
		`{"p": "forward", "n": 1, "s": [{"err": {"code": 7}}, {}, {}]}`,
		`{"p": "forward", "n": 1, "s": [{"s": "running", "x": "\u0000"}, {"s": 7}, {}]}`, `{"p": "forward", "n": 1, "s": [{"s": "\ud800"}, {}, {"s": "\u0000"}]}`,
	} {
		broken = append(broken, `progress = '`+progress+`'`)
	}
	return broken
}

// A broken value in one row must not hide the other rows.
func TestNoBrokenRowHidesTheOthers(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	first := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	d := damage{t, connect(t, url)}
	d.exec(withoutConstraints)
	d.exec(`alter type saga_status add value 'parked'`)
	d.exec(`alter type attention_reason add value 'boredom'`)
	sound := first.Start(saga.Start{})
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})) // with an empty cache
	for _, broken := range brokenColumns() {
		id := first.Start(saga.Start{}).ID
		d.exec(`update sagas set `+broken+` where id = $1`, id)
		found, err := w.Saga(t.Context(), id)
		require.NoError(t, err, broken)
		require.ErrorIs(t, found.Unreadable, record.ErrUnreadable, broken)
		require.ErrorContains(t, found.Unreadable, id, broken)
		err = w.Transact(t.Context(), record.Batch{SagaIDs: []string{id, sound.ID}}, func(l record.Loaded) (record.Changes, error) {
			require.ErrorIs(t, l.Unreadable[id].Unreadable, record.ErrUnreadable, broken)
			assert.Contains(t, l.Instances, sound.ID, broken)
			return record.Changes{}, nil
		})
		require.NoError(t, err, broken)
	}
	d.exec(`update outbox set created_at = (array['infinity', '-infinity', '4000-01-01 BC', '200000-01-01'])[1 + floor(random() * 4)]::timestamptz`)
	d.exec(`insert into dead_letters (id, saga_id, received_at) values ('a', '', 'infinity'), ('b', '', '-infinity'), ('c', '', now()), ('d', '', 'infinity')`)
	everythingIsRead(t, w, len(brokenColumns())+1)
	ids, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	for _, one := range ids {
		abandoned := record.Changes{Abandoned: []record.Abandonment{{SagaID: one.ID, Actor: "ada", Reason: "broken"}}}
		err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{one.ID}},
			func(record.Loaded) (record.Changes, error) { return abandoned, nil })
		require.NoError(t, err, "%v", one.Unreadable)
	}
	assert.Empty(t, texts(t, url, `select id from sagas where status <> 'abandoned' and finished_at is null`))
	assert.Equal(t, saga.Abandoned, w.Get(sound.ID).Status)
}

// everythingIsRead makes every read of many rows.
func everythingIsRead(t *testing.T, w *storetest.Fixture, sagas int) {
	t.Helper()
	ctx := t.Context()
	listed, _, err := w.Sagas(ctx, record.Filter{}, record.Page{})
	require.NoError(t, err)
	assert.Equal(t, sagas, len(listed)) //nolint:testifylint // a failure would print them all
	stats, err := w.Stats(ctx, nil)
	require.NoError(t, err)
	backlog, err := w.Backlog(ctx)
	require.NoError(t, err)
	groups, err := w.Groups(ctx, nil, "")
	require.NoError(t, err)
	letters, next, err := w.DeadLetters(ctx, record.DeadLetterFilter{}, record.Page{Limit: 1})
	for err == nil && next != "" {
		var more []record.DeadLetter
		more, next, err = w.DeadLetters(ctx, record.DeadLetterFilter{}, record.Page{Limit: 1, After: next})
		letters = append(letters, more...)
	}
	require.NoError(t, err)
	assert.Len(t, letters, 4)
	loads, err := w.QueueLoads(ctx)
	require.NoError(t, err)
	assert.NotEmpty(t, loads)
	for _, one := range []any{stats.OutboxOldest, backlog, groups, loads} {
		_, err := json.Marshal(one)
		require.NoError(t, err, "JSON has years from 0 to 9999 only")
	}
	_, err = w.Due(ctx, -time.Hour, record.DueSaga{}, 1000)
	require.NoError(t, err)
	revisions := make(map[string]int64)
	for _, one := range listed {
		revisions[one.ID] = -10
	}
	changed, err := w.Changed(ctx, revisions)
	require.NoError(t, err)
	assert.Len(t, changed, 1)
}

// The data compresses well, but it is large for the program all the same.
func TestABatchOfLargeSagasIsLoadedInPieces(t *testing.T) {
	t.Parallel()
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: migrated(t)}))
	var ids []string
	for range 20 {
		ids = append(ids, w.Start(saga.Start{Data: []byte(`{"a":"` + strings.Repeat("x", 1_000_000) + `"}`)}).ID)
	}
	for range 2 { // once from the database, and once from the cache
		err := w.Transact(t.Context(), record.Batch{SagaIDs: ids}, func(l record.Loaded) (record.Changes, error) {
			assert.InDelta(t, 8, len(l.Instances), 2)
			assert.Len(t, l.Busy, len(ids)-len(l.Instances))
			return record.Changes{}, nil
		})
		require.NoError(t, err)
	}
}

func TestMembersThatANewerVersionWroteAreIgnored(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	id := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})).Start(saga.Start{}).ID
	d := damage{t, connect(t, url)}
	d.exec(`update sagas set progress = (progress::jsonb || '{"later": {"x": [1]}}')::json where id = $1`, id)
	d.exec(`update definitions set body = (body::jsonb || '{"retention": {"completed": {}}}')::json`)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	assert.Equal(t, int64(2), w.Apply(id, storetest.Succeed(id, "reserve", `{}`)).Revision)
	_, err := w.Definition(t.Context(), "order", 1)
	require.NoError(t, err)
}

func TestBrokenOutboxRowsWaitLongerEachTime(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease}))
	d := damage{t, connect(t, url)}
	d.exec(withoutConstraints)
	for _, broken := range []string{
		`command = 'nonsense'`, `command = 'unknown/execute/1'`, `created_at = 'infinity'`, `created_at = null`, `body = null`,
	} {
		id := w.Start(saga.Start{}).ID
		d.exec(`update outbox set `+broken+`, claimed_until = now(), leased = false where saga_id = $1`, id)
	}
	sound := w.Start(saga.Start{}).ID
	require.NoError(t, w.ReleaseOutbox(t.Context(), []saga.CommandID{storetest.Execute(sound, "reserve")}))
	commands, err := w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 1})
	for len(commands) == 0 && err != nil { // any of them may be claimed first
		commands, err = w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 1})
	}
	require.Len(t, commands, 1)
	assert.Equal(t, sound, commands[0].ID.Saga)
	waits := func() []string {
		return texts(t, url, `select count(*)::text from outbox where claimed_until > now() + $1::interval and not leased`, time.Second)
	}
	_, err = w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
	require.NoError(t, err, "the broken rows wait")
	assert.Equal(t, []string{"5"}, waits())
	assert.Len(t, texts(t, url, `select distinct reason from outbox where reason <> ''`), 5, "each row says what is wrong with it")
	d.exec(`update outbox set claimed_until = now() where not leased`)
	_, err = w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
	require.Error(t, err)
	assert.Equal(t, []string{"5"}, texts(t, url, `select count(*)::text from outbox where not leased and attempts > 1
		and claimed_until > now() + interval '3 seconds'`), "longer than the first time")
	d.exec(`update sagas set status = 'abandoned', finished_at = now(), wake_at = null`)
	d.exec(`update outbox set claimed_until = now() where not leased`)
	_, err = w.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
	require.Error(t, err)
	assert.Equal(t, []string{"1"}, texts(t, url, `select count(*)::text from outbox`), "rows of ended sagas are dropped")
}

func TestAHistoryShowsUnreadableEntries(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	d := damage{t, connect(t, url)}
	d.exec(withoutConstraints)
	for _, broken := range []string{
		`entries = '{}'`, `entries = '[]'`, `entries = '[7]'`, `entries = '[["a", 1]]'`, `entries = '[["a", "b", "c"]]'`,
		`entries = '[["a", "b", 1e30]]'`, `entries = '[["a", "b", 1, 2]]'`, `entries = null`, `at = 'infinity'`, `at = null`, `actor = null`,
	} {
		id := w.Start(saga.Start{}).ID
		w.Apply(id, storetest.Succeed(id, "reserve", `{}`))
		d.exec(`update saga_decisions set `+broken+` where saga_id = $1 and seq = 1`, id)
		entries, _, err := w.History(t.Context(), id, record.Page{})
		require.NoError(t, err, broken)
		assert.Greater(t, len(entries), 1, broken)
		assert.Equal(t, int64(1), entries[0].Seq)
		assert.NotEqual(t, saga.EntryType("unreadable"), entries[len(entries)-1].Type, broken)
		assert.NotEmpty(t, entries[len(entries)-1].Type, broken)
	}
}

// A row with many such entries would take a thousand times its size, in a list and in the archive.
func TestTheRestOfARowWithManyUnreadableEntriesIsNotRead(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	d := damage{t, connect(t, url)}
	id := w.Start(saga.Start{}).ID
	w.Apply(id, storetest.Succeed(id, "reserve", `{}`))
	d.exec(`update saga_decisions set entries = ('[["saga.started"],' || repeat('1,', 300000) || '1]')::json where saga_id = $1 and seq = 1`, id)
	d.exec(`update sagas set status = 'completed', finished_at = now() - interval '1 hour', wake_at = null where id = $1`, id)
	d.exec(`delete from outbox`)

	entries, _, err := w.History(t.Context(), id, record.Page{Limit: 500})
	require.NoError(t, err)
	assert.Equal(t, saga.EntryStarted, entries[0].Type)
	assert.Equal(t, saga.EntryType("unreadable"), entries[101].Type)
	assert.Contains(t, entries[101].Detail["error"], "its rest is not read")
	assert.Less(t, len(entries), 110)
	archived, err := w.Store.(*store.Store).WithHistory(t.Context(), []string{id})
	require.NoError(t, err)
	require.Len(t, archived, 1)
	assert.Equal(t, entries, archived[0].History)
}
