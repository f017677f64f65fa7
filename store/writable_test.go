package store_test

import (
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/store"
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

	for _, right := range []string{"insert on saga_decisions", "insert on outbox", "delete on outbox", "insert on events", "insert on audit_waiting", "update on sagas"} {
		d.exec(`revoke ` + right + ` from ` + quoted)
		require.ErrorContains(t, s.Ping(t.Context()), right)
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
		require.NoError(t, tx.Rollback(t.Context()))
		require.NoError(t, s.Ping(t.Context()), "and it recovers")
	}
}
