package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

var _ engine.Store = (*store.Store)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// migrated returns the URL of a new database with the schema.
func migrated(t testing.TB) string {
	t.Helper()
	url := env.Database(t)
	require.NoError(t, store.Migrate(t.Context(), url))
	return url
}

func open(t testing.TB, config store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestPostgresPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, lease time.Duration) storetest.Store {
		t.Helper()
		url := env.Database(t)
		withOwnHabits(t, url)
		require.NoError(t, store.Migrate(t.Context(), url))
		return open(t, store.Config{DatabaseURL: url, LeaseFor: lease})
	})
}

// withOwnHabits gives a database settings that its owners may have for other programs.
func withOwnHabits(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	for _, setting := range []string{
		`standard_conforming_strings = off`, `backslash_quote = off`, `"TimeZone" = 'Asia/Kathmandu'`, `"DateStyle" = 'German, DMY'`, `"IntervalStyle" = 'sql_standard'`,
		`bytea_output = 'escape'`, `extra_float_digits = -10`, `transform_null_equals = on`, `array_nulls = off`, `quote_all_identifiers = on`,
		`default_transaction_deferrable = on`, `lc_numeric = 'C'`, `xmloption = 'document'`, `client_encoding = 'LATIN1'`,
	} {
		_, err := conn.Exec(t.Context(), `do $do$ begin execute format('alter database %I set `+strings.ReplaceAll(setting, "'", "''")+`', current_database()); end $do$`)
		require.NoError(t, err, setting)
	}
	require.NoError(t, conn.Close(t.Context()))
}
