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

func crashPostgres(w *world) int {
	n := times(4, 1)
	for range n {
		whole := w.broken()
		w.postgres(w.t).Stop(syscall.SIGQUIT)
		w.let(time.Second)
		w.postgres(w.t).Start()
		w.awaitPostgres()
		whole()
		w.let(lasting(4*time.Second, 2*time.Second))
	}
	return n
}

func (w *world) awaitPostgres() {
	w.await(60*time.Second, "Postgres should be back", func() bool { return w.count(`select 1`) == 1 })
}

// throughProxy leads the replicas to the database by a way that can be interfered with.
func throughProxy(w *world) {
	var err error
	w.proxy, w.replicaDatabase, err = proxy.Start(w.database)
	require.NoError(w.t, err)
	w.t.Cleanup(w.proxy.Close)
}

// loseCommits keeps the server's word that it has committed from one replica transaction in ten.
func loseCommits(w *world) int {
	said := []byte("C\x00\x00\x00\x0bCOMMIT\x00")
	var lost atomic.Int64
	whole := w.broken()
	w.proxy.Lose(func(answer []byte) bool {
		if !bytes.Contains(answer, said) || rand.IntN(10) > 0 {
			return false
		}
		lost.Add(1)
		return true
	})
	w.let(lasting(30*time.Second, 5*time.Second))
	w.proxy.Lose(func([]byte) bool { return false })
	whole()
	return int(lost.Load())
}

// killBackends ends a connection of a replica every second.
func killBackends(w *world) int {
	whole := w.broken()
	killed := 0
	for range times(15, 4) {
		killed += max(0, w.count(`select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
			where application_name = 'saga-orchestrator' and datname = current_database() order by random() limit 1) as one`))
		w.let(time.Second)
	}
	whole()
	return killed
}

// smallDisk is a Postgres with its files in a small file system of its own.
func smallDisk(t *testing.T, lane *arena) *arena {
	t.Helper()
	folder, err := os.MkdirTemp("", "chaos-disk-") //nolint:usetesting // Postgres, as its own user, must get to it
	require.NoError(t, err)
	require.NoError(t, os.Chmod(folder, 0o711))
	require.NoError(t, syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=512m,mode=0711"),
		"this scenario has to mount a file system of its own: it needs root")
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err == nil {
			_ = os.RemoveAll(folder)
		}
	})
	return ownPostgres(t, lane, folder)
}

// ownPostgres is the lane's RabbitMQ with a Postgres of the scenario's own.
func ownPostgres(t *testing.T, lane *arena, folder string) *arena {
	t.Helper()
	own, err := openArena(t.Context(), folder, servers.Postgres)
	require.NoError(t, err)
	t.Cleanup(own.session.Close)
	for name, value := range lane.env {
		if _, known := own.env[name]; !known {
			own.env[name] = value
		}
	}
	return own
}

// fillDisk leaves Postgres without a byte to write, and gives the space back.
func fillDisk(w *world) int {
	whole := w.broken()
	path := filepath.Join(filepath.Dir(w.env["TESTENV_POSTGRES_DIR"]), "filling")
	file, err := os.Create(path)
	require.NoError(w.t, err)
	chunk, full := make([]byte, 1<<20), false
	for end := time.Now().Add(lasting(8*time.Second, 5*time.Second)); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for err = nil; err == nil; { // what Postgres gives back is taken at once
			_, err = file.Write(chunk)
		}
		full = true
	}
	require.ErrorIs(w.t, err, syscall.ENOSPC)
	require.NoError(w.t, file.Close())
	require.NoError(w.t, os.Remove(path))
	w.awaitPostgres()
	whole()
	if !full {
		return 0
	}
	return 1
}

// standbyGround is a Postgres that confirms a commit only when its standby has it.
func standbyGround(t *testing.T, lane *arena) *arena {
	t.Helper()
	own := ownPostgres(t, lane, "")
	standby, err := own.session.Standby(t.Context(), own.env)
	require.NoError(t, err)
	own.env["STANDBY_URL"] = standby["DATABASE_URL"]
	return own
}

// throughSwitch makes the standby synchronous, and leads everybody to the primary by a way that can be switched.
func throughSwitch(w *world) {
	w.execute(`alter system set synchronous_standby_names = '*'`)
	w.execute(`select pg_reload_conf()`)
	p, through, err := proxy.Start(w.database)
	require.NoError(w.t, err)
	w.t.Cleanup(p.Close)
	u, err := url.Parse(through)
	require.NoError(w.t, err)
	w.proxy, w.database, w.replicaDatabase = p, through, through
	services, err := url.Parse(w.services)
	require.NoError(w.t, err)
	services.Host = u.Host
	w.services = services.String()
	w.await(30*time.Second, "the standby should be synchronous", func() bool {
		pool := w.open(w.databaseURL())
		defer pool.Close()
		return countIn(pool, `select count(*) from pg_stat_replication where sync_state = 'sync'`) == 1
	})
}

// failOver kills the primary for good and promotes the standby.
func failOver(w *world) int {
	whole := w.broken()
	w.postgres(w.t).Stop(syscall.SIGKILL)
	conn, err := pgx.Connect(w.t.Context(), w.env["STANDBY_URL"])
	require.NoError(w.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(w.t.Context(), `select pg_promote()`)
	require.NoError(w.t, err)
	u, err := url.Parse(w.env["STANDBY_URL"])
	require.NoError(w.t, err)
	w.proxy.Lead(u.Host)
	w.proxy.Cut()
	w.awaitPostgres()
	whole()
	return 1
}

// fewConnections gives the replicas a role that may have two connections, all of them together.
func fewConnections(w *world) {
	u, err := url.Parse(w.database)
	require.NoError(w.t, err)
	role := "few" + u.Path[len("/sagas_"):]
	w.execute(fmt.Sprintf(`create role %s login password 'few' connection limit 2`, role))
	w.execute(fmt.Sprintf(`alter database %s owner to %s`, u.Path[1:], role))
	u.User = url.UserPassword(role, "few")
	w.replicaDatabase = u.String()
}

// starve sends far more calls at once than there are connections. None may hang, and all must be as before afterwards.
func starve(w *world) int {
	whole := w.broken()
	var slowest, unavailable, other atomic.Int64
	n := times(1000, 200)
	w.sideBySide(200, n, func(int) {
		began := time.Now()
		status, err := w.anyAPI(0).call(http.MethodGet, "/v1/sagas?limit=10", "", nil, nil)
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
	w.t.Logf("of %d calls %d were told to come again, %d went wrong, the slowest took %s", n, unavailable.Load(), other.Load(), time.Duration(slowest.Load()))
	require.Zero(w.t, other.Load(), "calls that were neither answered nor told to come again")
	return n
}

// lockTables keeps everybody out of the sagas, as a migration would.
func lockTables(w *world) int {
	whole := w.broken()
	conn, err := pgx.Connect(w.t.Context(), w.database)
	require.NoError(w.t, err)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(w.t.Context())
	require.NoError(w.t, err)
	for {
		if _, err = tx.Exec(w.t.Context(), `lock table sagas in access exclusive mode`); err == nil {
			break
		}
		require.NoError(w.t, err)
	}
	w.let(lasting(15*time.Second, 5*time.Second))
	require.NoError(w.t, tx.Rollback(w.t.Context()))
	whole()
	return 1
}
