package store_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/authority"
	"github.com/saga-orchestrator/orchestrator/store"
)

// Postgres is reached by TLS whose certificate is verified by a private authority, also for migrations.
func TestPostgresByTLSWithAPrivateAuthority(t *testing.T) {
	t.Parallel()
	a, other := authority.New(t), authority.New(t)
	plain, err := url.Parse(env.Database(t))
	require.NoError(t, err)
	front := a.FrontPostgres(plain.Host)
	reach := func(mode, root string) string {
		secured := *plain
		secured.Host = front
		secured.RawQuery = url.Values{"sslmode": {mode}, "sslrootcert": {root}}.Encode()
		return secured.String()
	}
	good := reach("verify-full", a.File)
	require.NoError(t, store.Migrate(t.Context(), good))
	kept, err := store.Open(t.Context(), store.Config{DatabaseURL: good})
	require.NoError(t, err)
	require.NoError(t, kept.Ping(t.Context()))
	require.NoError(t, kept.Close())

	_, err = store.Open(t.Context(), store.Config{DatabaseURL: reach("verify-full", other.File)})
	require.ErrorContains(t, err, "certificate")
	_, err = store.Open(t.Context(), store.Config{DatabaseURL: reach("verify-full", "/nowhere")})
	require.Error(t, err)
	password, _ := plain.User.Password()
	assert.NotContains(t, err.Error(), password)
}
