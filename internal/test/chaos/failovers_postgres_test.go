package chaos

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
	"github.com/saga-orchestrator/orchestrator/store"
)

// twoHosts makes the standby synchronous. Every URL names primary and standby: clients choose the one that takes writes.
func twoHosts(fx *fixture) {
	fx.synchronous()
	standby, err := url.Parse(fx.env["STANDBY_URL"])
	require.NoError(fx.t, err)
	both := func(databaseURL string) string {
		u, err := url.Parse(databaseURL)
		require.NoError(fx.t, err)
		u.Host += "," + standby.Host
		u.RawQuery += "&target_session_attrs=read-write"
		return u.String()
	}
	fx.database, fx.services = both(fx.database), both(fx.services)
	fx.replicaDatabase = fx.database
}

// failOverByURL kills the primary for good and promotes the standby. No address moves.
func failOverByURL(fx *fixture) int {
	whole := fx.broken()
	fx.postgres(fx.t).Stop(syscall.SIGKILL)
	conn, err := pgx.Connect(fx.t.Context(), fx.env["STANDBY_URL"])
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(fx.t.Context(), `select pg_promote()`)
	require.NoError(fx.t, err)
	fx.awaitPostgres()
	whole()
	return 1
}

// underPatroni moves the databases to a pair of servers under Patroni.
func underPatroni(fx *fixture) {
	session, err := servers.Open("")
	require.NoError(fx.t, err)
	fx.t.Cleanup(session.Close)
	cluster, err := session.Patroni(fx.t.Context())
	require.NoError(fx.t, err)
	fx.patroni = cluster
	conn, err := pgx.Connect(fx.t.Context(), cluster.URL())
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	for _, database := range []*string{&fx.database, &fx.services} {
		old, err := url.Parse(*database)
		require.NoError(fx.t, err)
		_, err = conn.Exec(fx.t.Context(), "create database "+old.Path[1:]+" template template0")
		require.NoError(fx.t, err)
		u, err := url.Parse(cluster.URL())
		require.NoError(fx.t, err)
		u.Path = old.Path
		*database = u.String()
	}
	fx.replicaDatabase = fx.database
}

// loseLeader kills the leader's Patroni and Postgres. Its lease ends, the other member is promoted, and the lost one returns as
// its standby.
func loseLeader(fx *fixture) int {
	leader, _, err := fx.patroni.Leader(fx.t.Context())
	require.NoError(fx.t, err)
	whole := fx.broken()
	require.NoError(fx.t, leader.Crash())
	fx.t.Logf("starts work after %s", fx.startsWork(90*time.Second))
	whole()
	require.NoError(fx.t, leader.Return())
	fx.await(90*time.Second, "the lost member should follow again", func() bool { return fx.patroni.Synchronous(fx.t.Context()) })
	return 1
}

// switchOver hands over to the other member, and back.
func switchOver(fx *fixture) int {
	for range 2 {
		whole := fx.broken()
		require.NoError(fx.t, fx.patroni.Switchover(fx.t.Context()))
		fx.t.Logf("starts work after %s", fx.startsWork(60*time.Second))
		whole()
		fx.await(90*time.Second, "the other member should follow again", func() bool { return fx.patroni.Synchronous(fx.t.Context()) })
	}
	return 2
}

// throughPgbouncer connects the replicas through a pooler of transactions, as a role that has the settings of their sessions.
// The role's migrations come by a direct connection.
func throughPgbouncer(fx *fixture) {
	u, err := url.Parse(fx.database)
	require.NoError(fx.t, err)
	role := "pooled" + strings.TrimPrefix(u.Path, "/sagas")
	fx.execute(fmt.Sprintf(`create role %s login password 'pooled'`, role))
	fx.execute(fmt.Sprintf(`alter database %s owner to %s`, u.Path[1:], role))
	u.User = url.UserPassword(role, "pooled")
	require.NoError(fx.t, store.Migrate(fx.t.Context(), u.String()))
	through, err := fx.session.Pgbouncer(fx.t.Context(), u.String())
	require.NoError(fx.t, err)
	ctx := fx.t.Context()
	_, err = store.Open(ctx, store.Config{DatabaseURL: through})
	require.ErrorIs(fx.t, err, store.ErrPooler, "without the mode")
	through += "&default_query_exec_mode=cache_describe"
	_, err = store.Open(ctx, store.Config{DatabaseURL: through})
	require.ErrorIs(fx.t, err, store.ErrPooler, "without the settings of the role")
	_, hint, found := strings.Cut(err.Error(), "reconnect: ")
	require.True(fx.t, found, err)
	fx.execute(hint)
	require.ErrorContains(fx.t, store.Migrate(ctx, through), "direct connection")
	pooler := fx.pooler(fx.t, through)
	pooler.Signal(syscall.SIGTERM) // it ends at once, and starts again with new sessions
	fx.await(30*time.Second, "the pooler should be back", func() bool { return servers.CheckPostgres(ctx, through) == nil })
	fx.replicaDatabase = through
}

// restartPooler kills the pooler. Its clients connect again, and the services do not notice.
func restartPooler(fx *fixture) int {
	whole := fx.broken()
	pooler := fx.pooler(fx.t, fx.replicaDatabase)
	pooler.Stop(syscall.SIGKILL)
	fx.let(lasting(5*time.Second, 2*time.Second))
	pooler.Start()
	fx.t.Logf("starts work after %s", fx.startsWork(60*time.Second))
	whole()
	return 1
}

// keepBackup finds the programs for backups.
func keepBackup(fx *fixture) {
	fx.backup = filepath.Join(fx.t.TempDir(), "backup")
}

// restoreBackup makes a backup, goes on for some seconds, and restores it: the database is behind its broker and its workers.
func restoreBackup(fx *fixture) int {
	bin := fx.env["TESTENV_POSTGRES_BIN"]
	run := func(program string, arguments ...string) {
		out, err := exec.CommandContext(fx.t.Context(), filepath.Join(bin, program), arguments...).CombinedOutput()
		require.NoError(fx.t, err, "%s: %s", program, out)
	}
	run("pg_dump", "--format=custom", "--file="+fx.backup, "--dbname="+fx.database)
	fx.let(lasting(5*time.Second, 2*time.Second))
	whole := fx.broken()
	for _, p := range fx.replicas {
		p.kill()
	}
	u, err := url.Parse(fx.database)
	require.NoError(fx.t, err)
	fx.execute("drop database " + u.Path[1:] + " with (force)")
	fx.execute("create database " + u.Path[1:] + " template template0")
	run("pg_restore", "--dbname="+fx.database, fx.backup)
	require.NoError(fx.t, os.Remove(fx.backup))
	fx.sql.Reset()
	fx.awaitPostgres()
	fx.forgetLost()
	for _, p := range fx.replicas {
		p.start()
	}
	fx.ready()
	whole()
	fx.t.Logf("the backup lacks %d sagas", len(fx.lost))
	return len(fx.lost)
}
