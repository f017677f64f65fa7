package store

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func opened(t *testing.T, config Config) (*Store, *pgx.Conn) {
	t.Helper()
	url := env.Database(t)
	require.NoError(t, Migrate(t.Context(), url))
	config.DatabaseURL = url + config.DatabaseURL
	s, err := Open(t.Context(), config)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, conn.Close(context.WithoutCancel(t.Context())))
		assert.NoError(t, s.Close())
	})
	return s, conn
}

func exec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

const itsSessions = `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and application_name = 'victim' and pid <> pg_backend_pid()`

func TestSessionsThatTurnReadOnlyAreReplacedUnnoticed(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, Config{MaxConnections: 3})
	w := storetest.NewFixture(t, s)
	demote := func() map[uint32]bool { // as a server does that keeps its sessions
		sessions := make(map[uint32]bool)
		for range 3 {
			conn, err := s.pool.Acquire(t.Context())
			require.NoError(t, err)
			defer conn.Release()
			_, err = conn.Exec(t.Context(), `set default_transaction_read_only = on`)
			require.NoError(t, err)
			sessions[conn.Conn().PgConn().PID()] = true
		}
		return sessions
	}
	before := demote()
	w.Start(saga.Start{})
	for range 3 {
		conn, err := s.pool.Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
		assert.NotContains(t, before, conn.Conn().PgConn().PID(), "no old session remains")
	}
}

func TestASessionThatTurnedReadOnlyIsNotReady(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, Config{MaxConnections: 1})
	_, err := s.pool.Exec(t.Context(), `set default_transaction_read_only = on`)
	require.NoError(t, err)
	require.ErrorIs(t, s.Ping(t.Context()), errReadOnly)
	require.NoError(t, s.Ping(t.Context()), "the read-only session was closed")
}

func TestOnlySessionsThatCanWriteAreUsed(t *testing.T) {
	t.Parallel()
	s, conn := opened(t, Config{ApplicationName: "victim"})
	w := storetest.NewFixture(t, s)
	require.NoError(t, s.Ping(t.Context()))
	id := w.Start(saga.Start{}).ID
	exec(t, conn, replaceSetting("on"))
	exec(t, conn, itsSessions)
	pause := func() error {
		return w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
			return w.Decide(l, id, storetest.Do(saga.ActionPause))
		})
	}
	require.Eventually(t, func() bool { return pause() != nil && s.Ping(t.Context()) != nil }, 5*time.Second, time.Millisecond)
	require.Error(t, s.Ping(t.Context()), "a ready database accepts writes")
	_, err := s.Saga(t.Context(), id)
	require.ErrorIs(t, err, record.ErrUnavailable, "a caller may retry")
	_, _, err = s.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 1})
	require.ErrorIs(t, err, record.ErrUnavailable)
	_, err = Open(t.Context(), Config{DatabaseURL: s.pool.Config().ConnString()})
	require.ErrorContains(t, err, "read only")

	exec(t, conn, replaceSetting("off"))
	require.NoError(t, s.Ping(t.Context()))
	require.NoError(t, pause())
}

func TestALostConnectionClearsTheCache(t *testing.T) {
	t.Parallel()
	s, conn := opened(t, Config{ApplicationName: "victim", MaxConnections: 2})
	w := storetest.NewFixture(t, s)
	for range 10 {
		w.Start(saga.Start{})
	}
	require.Len(t, s.cache.byID, 10)
	exec(t, conn, itsSessions)
	require.Eventually(t, func() bool {
		_ = s.Ping(t.Context()) // finds that a session has ended
		s.cache.mu.Lock()
		defer s.cache.mu.Unlock()
		return len(s.cache.byID) == 0
	}, 5*time.Second, time.Millisecond)
	assert.Zero(t, s.cache.bytes)
}

func TestSlowListsDelayOnlyLists(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, Config{})
	w := storetest.NewFixture(t, s)
	in := w.Start(saga.Start{})
	key := record.Key{ID: "k", Name: "ci", Role: record.Viewer, Hash: make([]byte, 32)}
	require.NoError(t, s.CreateKey(t.Context(), key))
	ctx, stop := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	begun := make(chan struct{}, readConnections)
	for range readConnections {
		slow.Go(func() {
			_ = s.survey(ctx, func(pgx.Tx) error {
				begun <- struct{}{}
				<-ctx.Done()
				return nil
			})
		})
	}
	for range readConnections {
		<-begun
	}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, _, err := s.Sagas(soon, record.Filter{}, record.Page{Limit: 1})
	require.ErrorIs(t, err, record.ErrUnavailable, "the wait for a connection is bounded")
	_, err = s.Stats(t.Context(), nil)
	require.ErrorIs(t, err, record.ErrUnavailable, "even for a caller without a deadline")
	for range 20 {
		in = w.Start(saga.Start{})
	}
	w.Get(in.ID)
	_, err = s.KeyByHash(t.Context(), key.Hash)
	require.NoError(t, err)
	require.NoError(t, s.Ping(t.Context()))
	stop()
	slow.Wait()
	_, _, err = s.Sagas(t.Context(), record.Filter{}, record.Page{Limit: 1})
	require.NoError(t, err)
}

func TestLookupsLeaveConnectionsToTheEngine(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, Config{MaxConnections: 4})
	w := storetest.NewFixture(t, s)
	ctx, stop := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range 4 {
		slow.Go(func() {
			_ = s.look(t.Context(), func(context.Context, queryer) error {
				begun <- struct{}{}
				<-ctx.Done()
				return nil
			})
		})
	}
	<-begun
	<-begun
	claim := w.Claim(storetest.NewID(), "", "")
	_, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	stop()
	slow.Wait()
}

func replaceSetting(to string) string {
	return `do $$ begin execute format('alter database %I set default_transaction_read_only = ` + to + `', current_database()); end $$`
}

func TestTheClockFollowsTheDatabaseBothWays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock
		_, known := c.now()
		assert.False(t, known)
		start := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
		c.observe(start)
		time.Sleep(300 * time.Millisecond)
		now, known := c.now()
		assert.True(t, known)
		assert.Equal(t, start.Add(300*time.Millisecond), now)
		assert.True(t, c.fresh())
		c.observe(start.Add(time.Hour))
		c.observe(start.Add(time.Second))
		now, _ = c.now()
		assert.Equal(t, start.Add(time.Second), now, "a step forward is followed back")
		time.Sleep(clockFresh)
		assert.False(t, c.fresh())
		time.Sleep(clockTrust)
		_, known = c.now()
		assert.False(t, known, "the database's clock may have changed since")
	})
}

// Functions of the schema public come before those of Postgres, so the database can return another time.
func TestAMomentaryClockStepOfAnHourIsForgotten(t *testing.T) {
	t.Parallel()
	s, conn := opened(t, Config{DatabaseURL: "&search_path=public,pg_catalog"})
	exec(t, conn, `create table step (by interval not null); insert into step values ('1 hour');
		create function clock_timestamp() returns timestamptz language sql volatile as
			$$ select pg_catalog.clock_timestamp() + by from step $$`)
	w := storetest.NewFixture(t, s)
	ahead := w.Start(saga.Start{})
	require.Greater(t, time.Until(ahead.CreatedAt), 50*time.Minute)
	exec(t, conn, `update step set by = '0'`)
	require.Eventually(t, func() bool {
		in := w.Start(saga.Start{})
		return time.Until(in.CreatedAt) < time.Minute && time.Until(in.WakeAt) < time.Minute
	}, clockTrust+time.Second, 10*time.Millisecond, "new sagas and their timers are on time")

	other := w.Start(saga.Start{})
	err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{ahead.ID, other.ID}},
		func(l record.Loaded) (record.Changes, error) {
			assert.Less(t, time.Until(l.Now), time.Minute, "a saga that is ahead does not pull the clock forward")
			return record.Changes{}, nil
		})
	require.NoError(t, err)
}
