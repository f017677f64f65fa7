package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

const unprepared = "default_query_exec_mode=cache_describe"

// Through a pooler of transactions. That it works through pgbouncer is part of the failover tests.
func TestSessionsWithoutTheirSettingsAreRefused(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	_, err := store.Open(t.Context(), store.Config{DatabaseURL: url + joint(url) + unprepared})
	require.ErrorIs(t, err, store.ErrPooler)
	for _, text := range []string{"statement_timeout", "alter role", "set enable_seqscan = 'off';"} {
		assert.ErrorContains(t, err, text)
	}
}

func TestMigrationsAreRefusedThroughAPooler(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	require.ErrorContains(t, store.Migrate(t.Context(), url+joint(url)+unprepared), "need a direct connection")
}

func TestTheStoreWorksWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	url := withSettings(t, migrated(t))
	s := open(t, store.Config{DatabaseURL: url + joint(url) + unprepared})
	require.NoError(t, s.CheckSchema(t.Context()))
	w := storetest.NewFixture(t, s)
	w.Start(saga.Start{})
	_, err := s.Stats(t.Context(), record.Scope{})
	require.NoError(t, err)
}

func joint(url string) string {
	if strings.Contains(url, "?") {
		return "&"
	}
	return "?"
}

// withSettings gives the database the settings that the role would have.
func withSettings(t *testing.T, url string) string {
	t.Helper()
	_, err := store.Open(t.Context(), store.Config{DatabaseURL: url + joint(url) + unprepared})
	require.ErrorIs(t, err, store.ErrPooler)
	_, hint, found := strings.Cut(err.Error(), "reconnect: ")
	require.True(t, found)
	conn := connect(t, url)
	var name string
	require.NoError(t, conn.QueryRow(t.Context(), `select current_database()`).Scan(&name))
	for statement := range strings.SplitSeq(hint, ";") {
		if _, setting, found := strings.Cut(statement, " set "); found {
			_, err := conn.Exec(t.Context(), `alter database `+name+` set `+setting)
			require.NoError(t, err)
		}
	}
	return url
}
