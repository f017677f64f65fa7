package store_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// A database is only ready if everything that a saga writes can be written.
func TestReadinessMeansThatEveryTableOfASagaCanBeWritten(t *testing.T) {
	t.Parallel()
	owned := migrated(t)
	d := damage{t, connect(t, owned)}
	var role string
	require.NoError(t, d.conn.QueryRow(t.Context(), `select 'r_' || md5(current_database())`).Scan(&role))
	quoted := pgx.Identifier{role}.Sanitize()
	d.exec(`create role ` + quoted + ` login password 'secret'`)
	defer func() { d.exec(`drop owned by ` + quoted); d.exec(`drop role ` + quoted) }()
	d.exec(`grant all on all tables in schema public to ` + quoted)
	d.exec(`grant all on all sequences in schema public to ` + quoted)
	parsed, err := url.Parse(owned)
	require.NoError(t, err)
	parsed.User = url.UserPassword(role, "secret")
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: parsed.String()})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Ping(t.Context()))

	for _, right := range []string{"insert on saga_decisions", "insert on outbox", "delete on outbox", "insert on events", "insert on audit_waiting", "update on sagas", "select on disabled_definitions"} {
		d.exec(`revoke ` + right + ` from ` + quoted)
		err := s.Ping(t.Context())
		require.ErrorContains(t, err, right)
		assert.Equal(t, "the database refuses the rights that the orchestrator needs", public(err))
		d.exec(`grant ` + right + ` to ` + quoted)
		require.NoError(t, s.Ping(t.Context()))
	}
	for _, table := range []string{"events", "sagas"} {
		tx, err := d.conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), `lock table `+table+` in access exclusive mode`)
		require.NoError(t, err)
		err = s.Ping(t.Context())
		require.Error(t, err)
		require.ErrorContains(t, err, "lock timeout")
		assert.Equal(t, "a table is locked", public(err))
		require.NoError(t, tx.Rollback(t.Context()))
		require.NoError(t, s.Ping(t.Context()), "and it recovers")
	}
}

// public returns what anyone may read of an error, and "" if that is nothing.
func public(err error) string {
	var kind interface{ Public() string }
	if !errors.As(err, &kind) {
		return ""
	}
	return kind.Public()
}

func TestADatabaseSaysWhyItIsNotReady(t *testing.T) {
	t.Parallel()
	owned := migrated(t)
	d := damage{t, connect(t, owned)}
	role := "role_" + strings.ToLower(ulid.Make().String())
	d.exec(`create role ` + role + ` login superuser password 'secret'`)
	defer func() { d.exec(`drop owned by ` + role); d.exec(`drop role ` + role) }()
	parsed, err := url.Parse(owned)
	require.NoError(t, err)
	parsed.User = url.UserPassword(role, "secret")
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: parsed.String()})
	require.NoError(t, err)
	defer s.Close()
	for change, kind := range map[string]string{
		`set default_transaction_read_only = on`: "the database is read-only",
		`nologin`:                                "the database refuses the user",
		`connection limit 0 nosuperuser`:         "the database has no connection left",
	} {
		d.exec(`alter role ` + role + ` login superuser connection limit -1; alter role ` + role + ` reset all`)
		require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 10*time.Second, 10*time.Millisecond)
		d.exec(`alter role ` + role + ` ` + change)
		d.exec(`select pg_terminate_backend(pid) from pg_stat_activity where usename = $1`, role)
		require.Eventually(t, func() bool { return public(s.Ping(t.Context())) == kind }, 10*time.Second, 10*time.Millisecond, kind)
	}
}

func TestADatabaseWithoutAColumnThatStartsWriteIsNotReady(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	for _, column := range []string{"sagas.labels", "sagas.wake_at", "saga_decisions.actor", "outbox.leased", "events.subject"} {
		table, name, _ := strings.Cut(column, ".")
		d.exec(`alter table ` + table + ` rename column ` + name + ` to renamed`)
		err := s.Ping(t.Context())
		require.ErrorContains(t, err, name)
		assert.Equal(t, "the database refuses what the orchestrator needs", public(err))
		d.exec(`alter table ` + table + ` rename column renamed to ` + name)
		require.NoError(t, s.Ping(t.Context()))
	}
}

func TestADatabaseWhoseTriggersRefuseStartsIsNotReady(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	d.exec(`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no more commands'; end $$;
		create trigger refuse before insert on outbox for each row execute function refuse()`)
	f := storetest.NewFixture(t, s)
	require.Eventually(t, func() bool {
		_, err := f.TryStart(f.Claim(ulid.Make().String(), "", ""), saga.Start{})
		require.Error(t, err)
		err = s.Ping(t.Context())
		return err != nil && strings.Contains(err.Error(), "no more commands") && public(err) == "the database refuses starts"
	}, 20*time.Second, 300*time.Millisecond)
	d.exec(`drop trigger refuse on outbox`)
	f.Start(saga.Start{})
	require.NoError(t, s.Ping(t.Context()), "and it recovers with a start")
}

// A trigger of one saga alone makes nothing else fail.
func TestADatabaseWhoseTriggersRefuseChangesOfSagasIsNotReady(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	f := storetest.NewFixture(t, s)
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = f.Start(saga.Start{}).ID
	}
	change := func(id string) error {
		return s.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(loaded record.Loaded) (record.Changes, error) {
			return f.Decide(loaded, id, saga.Action{ID: ulid.Make().String(), Name: saga.ActionPause})
		})
	}
	d.exec(`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no more changes'; end $$;
		create trigger refuse before update on sagas for each row execute function refuse()`)
	for range 3 {
		require.Error(t, change(ids[0]))
	}
	began := time.Now()
	require.Eventually(t, func() bool {
		require.Error(t, change(ids[0]))
		require.NoError(t, s.Ping(t.Context()), "that saga may be at fault")
		return time.Since(began) > 3*time.Second
	}, 20*time.Second, 300*time.Millisecond)
	require.Eventually(t, func() bool {
		for _, id := range ids {
			require.Error(t, change(id))
		}
		err := s.Ping(t.Context())
		return err != nil && strings.Contains(err.Error(), "no more changes") && public(err) == "the database refuses changes of sagas"
	}, 20*time.Second, 300*time.Millisecond)
	require.ErrorContains(t, s.TryChange(t.Context(), ids[0]), "no more changes")
	d.exec(`drop trigger refuse on sagas`)
	require.NoError(t, s.TryChange(t.Context(), ids[0]))
	require.ErrorIs(t, s.TryChange(t.Context(), "none"), record.ErrSagaNotFound)
	require.NoError(t, change(ids[1]))
	require.NoError(t, s.Ping(t.Context()), "and it recovers with a change")
}

// Nothing that a caller sends breaks such a rule.
func TestADatabaseWithAddedRulesThatStartsBreakIsNotReady(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"a column":  `alter table sagas add column tenant text not null`,
		"a check":   `alter table sagas add constraint old check (created_at < '2000-01-01') not valid`,
		"a trigger": `create function skip() returns trigger language plpgsql as $$ begin return null; end $$; create trigger skip before insert on sagas for each row execute function skip()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			s := open(t, store.Config{DatabaseURL: url})
			d := damage{t, connect(t, url)}
			f := storetest.NewFixture(t, s)
			d.exec(change)
			require.Eventually(t, func() bool {
				_, err := f.TryStart(f.Claim(ulid.Make().String(), "", ""), saga.Start{})
				require.Error(t, err, "it is not acknowledged")
				return s.Ping(t.Context()) != nil || name == "a trigger"
			}, 20*time.Second, 300*time.Millisecond)
		})
	}
}
