package store_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/pgproxy"
	"github.com/saga-orchestrator/orchestrator/store"
)

// endsBy is by when a process ends after SIGTERM, whatever is away.
const endsBy = 10 * time.Second

func TestLimitsOfARoleDoNotHinderMigrations(t *testing.T) {
	t.Parallel()
	const limits = `-c statement_timeout=1ms -c lock_timeout=1ms -c idle_session_timeout=200ms -c idle_in_transaction_session_timeout=1ms`
	address := env.Database(t)
	limited, err := url.Parse(address)
	require.NoError(t, err)
	query := limited.Query()
	query.Set("options", limits)
	limited.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	require.NoError(t, store.Migrate(t.Context(), limited.String()))
	status, err := store.MigrationStatus(t.Context(), limited.String())
	require.NoError(t, err)
	for range status {
		require.NoError(t, store.MigrateDown(t.Context(), limited.String()))
	}
}

func TestMigrationsEndWithTheirContextAtAServerThatIsSilent(t *testing.T) {
	t.Parallel()
	for name, migrate := range map[string]func(ctx context.Context, url string) error{
		"up": store.Migrate, "down": store.MigrateDown,
		"status": func(ctx context.Context, url string) error { _, err := store.MigrationStatus(ctx, url); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			address := "postgres://u@" + env.Silent(t, cancel) + "/x?sslmode=disable"
			go func() { ended <- migrate(ctx, address) }()
			requireEnded(t, ended)
		})
	}
}

func TestAMigrationEndsThoughTheServerIsSilentWhenItsLockIsReleased(t *testing.T) {
	t.Parallel()
	proxy, through, err := pgproxy.Start(env.Database(t))
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	proxy.Fail(func(statements string) *pgproxy.Fault {
		if strings.Contains(statements, "pg_advisory_unlock") {
			cancel()
			<-over
		}
		return nil
	})
	ended := make(chan error, 1)
	go func() { ended <- store.Migrate(ctx, through) }()
	requireEnded(t, ended)
}

func requireEnded(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		assert.Error(t, err)
	case <-time.After(2 * endsBy):
		require.Fail(t, "it does not end")
	}
}
