package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

func crashPostgres(fx *fixture) int {
	n := times(4, 1)
	for range n {
		whole := fx.broken()
		fx.postgres(fx.t).Stop(syscall.SIGQUIT)
		fx.let(time.Second)
		fx.postgres(fx.t).Start()
		fx.awaitPostgres()
		whole()
		fx.let(lasting(4*time.Second, 2*time.Second))
	}
	return n
}

func (fx *fixture) awaitPostgres() {
	fx.await(60*time.Second, "Postgres should be back", func() bool { return fx.count(`select 1`) == 1 })
}

// throughProxy connects the replicas to the database through a proxy that can fail.
func throughProxy(fx *fixture) {
	var err error
	fx.proxy, fx.replicaDatabase, err = proxy.Start(fx.database)
	require.NoError(fx.t, err)
	fx.t.Cleanup(fx.proxy.Close)
}

// loseCommits drops the confirmation of one replica commit in ten.
func loseCommits(fx *fixture) int {
	said := []byte("C\x00\x00\x00\x0bCOMMIT\x00")
	var lost atomic.Int64
	whole := fx.broken()
	fx.proxy.Lose(func(answer []byte) bool {
		if !bytes.Contains(answer, said) || rand.IntN(10) > 0 {
			return false
		}
		lost.Add(1)
		return true
	})
	fx.let(lasting(30*time.Second, 5*time.Second))
	fx.proxy.Lose(func([]byte) bool { return false })
	whole()
	return int(lost.Load())
}

// killBackends ends a connection of a replica every second.
func killBackends(fx *fixture) int {
	whole := fx.broken()
	killed := 0
	for range times(15, 4) {
		killed += max(0, fx.count(`select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
			where application_name = 'saga-orchestrator' and datname = current_database() order by random() limit 1) as one`))
		fx.let(time.Second)
	}
	whole()
	return killed
}

// smallDisk is a Postgres with its files in a small file system.
func smallDisk(t *testing.T, lane *serverSet) *serverSet {
	t.Helper()
	folder, err := os.MkdirTemp("", "chaos-disk-") //nolint:usetesting // Postgres, as its own user, must reach it
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o711))
	require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=512m,mode=0711"),
		"this scenario mounts a file system, which needs root")
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err == nil {
			_ = os.RemoveAll(folder)
		}
	})
	return ownPostgres(t, lane, folder)
}

// ownPostgres combines the lane's RabbitMQ with a Postgres for the scenario.
func ownPostgres(t *testing.T, lane *serverSet, folder string) *serverSet {
	t.Helper()
	own, err := openServers(t.Context(), folder, servers.Postgres)
	require.NoError(t, err)
	t.Cleanup(own.session.Close)
	for name, value := range lane.env {
		if _, known := own.env[name]; !known {
			own.env[name] = value
		}
	}
	return own
}

// fillDisk leaves Postgres no space to write, and frees it again.
func fillDisk(fx *fixture) int {
	whole := fx.broken()
	path := filepath.Join(filepath.Dir(fx.env["TESTENV_POSTGRES_DIR"]), "filling")
	file, err := os.Create(path)
	require.NoError(fx.t, err)
	chunk, full := make([]byte, 1<<20), false
	for end := time.Now().Add(lasting(8*time.Second, 5*time.Second)); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for err = nil; err == nil; { // Postgres frees some space, which is filled at once
			_, err = file.Write(chunk)
		}
		full = true
	}
	require.ErrorIs(fx.t, err, syscall.ENOSPC)
	require.NoError(fx.t, file.Close())
	require.NoError(fx.t, os.Remove(path))
	fx.awaitPostgres()
	whole()
	if !full {
		return 0
	}
	return 1
}

// syncStandby is a Postgres that confirms a commit only after its standby has it.
func syncStandby(t *testing.T, lane *serverSet) *serverSet {
	t.Helper()
	own := ownPostgres(t, lane, "")
	standby, err := own.session.Standby(t.Context(), own.env)
	require.NoError(t, err)
	own.env["STANDBY_URL"] = standby["DATABASE_URL"]
	return own
}

// throughSwitch makes the standby synchronous, and connects all clients to the primary through a switchable proxy.
func throughSwitch(fx *fixture) {
	fx.synchronous()
	p, through, err := proxy.Start(fx.database)
	require.NoError(fx.t, err)
	fx.t.Cleanup(p.Close)
	u, err := url.Parse(through)
	require.NoError(fx.t, err)
	fx.proxy, fx.database, fx.replicaDatabase = p, through, through
	services, err := url.Parse(fx.services)
	require.NoError(fx.t, err)
	services.Host = u.Host
	fx.services = services.String()
}

// synchronous makes commits wait for the standby.
func (fx *fixture) synchronous() {
	fx.execute(`alter system set synchronous_standby_names = '*'`)
	fx.execute(`select pg_reload_conf()`)
	fx.await(30*time.Second, "the standby should be synchronous", func() bool {
		pool := fx.open(fx.databaseURL())
		defer pool.Close()
		return countIn(pool, `select count(*) from pg_stat_replication where sync_state = 'sync'`) == 1
	})
}

// failOver makes the standby the primary.
func failOver(fx *fixture) int {
	whole := fx.broken()
	promoteStandby(fx)
	fx.awaitPostgres()
	whole()
	return 1
}

// promoteStandby kills the primary for good, promotes the standby and sends all connections there.
func promoteStandby(fx *fixture) {
	fx.postgres(fx.t).Stop(syscall.SIGKILL)
	conn, err := pgx.Connect(fx.t.Context(), fx.env["STANDBY_URL"])
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(fx.t.Context(), `select pg_promote()`)
	require.NoError(fx.t, err)
	u, err := url.Parse(fx.env["STANDBY_URL"])
	require.NoError(fx.t, err)
	fx.proxy.Lead(u.Host)
	fx.proxy.Cut()
}

// fewConnections gives the replicas a role that may have two connections in total.
func fewConnections(fx *fixture) {
	u, err := url.Parse(fx.database)
	require.NoError(fx.t, err)
	role := "few" + u.Path[len("/sagas_"):]
	fx.execute(fmt.Sprintf(`create role %s login password 'few' connection limit 2`, role))
	fx.execute(fmt.Sprintf(`alter database %s owner to %s`, u.Path[1:], role))
	u.User = url.UserPassword(role, "few")
	fx.replicaDatabase = u.String()
}

// starve sends far more concurrent calls than there are connections. No call may hang, and afterwards all must work as
// before.
func starve(fx *fixture) int {
	whole := fx.broken()
	var slowest, unavailable, other atomic.Int64
	n := times(1000, 200)
	fx.sideBySide(200, n, func(int) {
		began := time.Now()
		status, err := fx.anyAPI(0).call(http.MethodGet, "/v1/sagas?limit=10", "", nil, nil)
		slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		switch {
		case err != nil:
			other.Add(1)
		case status == http.StatusServiceUnavailable:
			unavailable.Add(1)
		case status != http.StatusOK:
			other.Add(1)
		}
	})
	whole()
	fx.t.Logf("of %d calls %d should be retried, %d failed otherwise, the slowest took %s", n, unavailable.Load(), other.Load(), time.Duration(slowest.Load()))
	require.Zero(fx.t, other.Load(), "calls that failed otherwise")
	return n
}

// lockTables locks the sagas exclusively, as a migration would.
func lockTables(fx *fixture) int {
	whole := fx.broken()
	conn, err := pgx.Connect(fx.t.Context(), fx.database)
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(fx.t.Context())
	require.NoError(fx.t, err)
	for {
		if _, err = tx.Exec(fx.t.Context(), `lock table sagas in access exclusive mode`); err == nil {
			break
		}
		require.NoError(fx.t, err)
	}
	fx.let(lasting(15*time.Second, 5*time.Second))
	require.NoError(fx.t, tx.Rollback(fx.t.Context()))
	whole()
	return 1
}
