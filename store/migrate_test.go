package store_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func TestMigrationsGoUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	ctx := t.Context()
	s := open(t, store.Config{DatabaseURL: url})
	require.ErrorIs(t, s.CheckSchema(ctx), store.ErrSchemaBehind)
	before := objects(t, url)

	require.NoError(t, store.Migrate(ctx, url))
	require.NoError(t, s.CheckSchema(ctx))
	up := objects(t, url)
	assert.Greater(t, len(up), len(before))
	require.NoError(t, store.Migrate(ctx, url), "a second run changes nothing")
	assert.Equal(t, up, objects(t, url))

	status, err := store.MigrationStatus(ctx, url)
	require.NoError(t, err)
	for range status {
		require.NoError(t, store.MigrateDown(ctx, url))
	}
	require.ErrorIs(t, s.CheckSchema(ctx), store.ErrSchemaBehind)
	assert.Equal(t, []string{"saga_schema_version"}, tablesOf(objects(t, url)), "only the table of versions remains")

	require.NoError(t, store.Migrate(ctx, url))
	require.NoError(t, s.CheckSchema(ctx))
	assert.Equal(t, up, objects(t, url))
	storetest.NewFixture(t, s).Start(saga.Start{})
}

func TestMigrationStatusReportsWhatIsApplied(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	before, err := store.MigrationStatus(t.Context(), url)
	require.NoError(t, err)
	require.NotEmpty(t, before)
	assert.True(t, before[0].AppliedAt.IsZero())
	require.NoError(t, store.Migrate(t.Context(), url))
	after, err := store.MigrationStatus(t.Context(), url)
	require.NoError(t, err)
	for i, m := range after {
		assert.Equal(t, before[i].Version, m.Version)
		assert.False(t, m.AppliedAt.IsZero(), m.Name)
	}
}

func TestReplicasThatStartAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() { errs[i] = store.Migrate(t.Context(), url) })
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, open(t, store.Config{DatabaseURL: url}).CheckSchema(t.Context()))
}

// objects returns the names of all tables, views, indexes, functions and constraints that are not Postgres's own.
func objects(t *testing.T, url string) []string {
	t.Helper()
	return texts(t, url, `select kind || ' ' || name from (
		select 'relation ' || relkind::text as kind, relname::text as name from pg_class c
			where relnamespace = 'public'::regnamespace and relkind <> 'S'
		union all select 'function', proname from pg_proc where pronamespace = 'public'::regnamespace
		union all select 'constraint', conname from pg_constraint where connamespace = 'public'::regnamespace) as o
		order by 1`)
}

func tablesOf(objects []string) []string {
	var tables []string
	for _, object := range objects {
		if name, found := cut(object, "relation r "); found {
			tables = append(tables, name)
		}
	}
	return tables
}

func cut(text, prefix string) (string, bool) {
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):], true
	}
	return "", false
}

// connect opens a connection for the test.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) })
	return conn
}

func texts(t testing.TB, url, query string, args ...any) []string {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), query, args...)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

func TestMigrateSaysThatTheSchemaIsAnotherPrograms(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), `create table sagas (title text)`)
	require.NoError(t, err)
	require.ErrorContains(t, store.Migrate(t.Context(), url), "another program has something of this name here")
}
