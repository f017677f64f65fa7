package chaos

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/pgproxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// world is what one scenario runs in: a database for the orchestrator and one for the services, a prefix on the broker,
// replicas and workers as processes of their own, and the load.
type world struct {
	*arena
	t        *testing.T
	scenario scenario
	seed     uint64

	database, services string // URLs of the test's own way
	replicaDatabase    string // the replicas' way
	broker             string // URL
	replicaBroker      string // the replicas' way
	prefix             string
	replicas, workers  []*process
	apis               []*api
	sql, ledger        *pgxpool.Pool
	load               *load
	definitions        map[string]*saga.Definition // by name, and by name@version beyond the first
	proxy              *proxy.Proxy                // where arrange has put one
	peer               *amqpproxy.Proxy            // the same before the broker
	postgresPeer       *pgproxy.Proxy
	hitsLog            string // where failpoints say that they acted

	// What inject leaves for verify.
	expectDead, revisions int
	burstAt               time.Time
	cancelled             map[string]bool
	lost                  map[string]bool // sagas that a standby never had
	older                 map[string]bool // sagas of which it may lack the last commits
	old                   []string

	mu     sync.Mutex
	spells []spell
}

// spell is one time that something was broken.
type spell struct{ struck, healed time.Time }

// newWorld starts the processes of a scenario and registers the definitions.
func newWorld(t *testing.T, a *arena, s scenario, seed uint64) *world {
	t.Helper()
	w := &world{arena: a, t: t, scenario: s, seed: seed, broker: a.amqpURL()}
	unique := strings.ToLower(rand.Text()[:8])
	w.hitsLog = filepath.Join(t.TempDir(), "failpoints")
	w.prefix = fmt.Sprintf("f%d-%s", s.number, unique)
	w.database = w.createDatabase("sagas_" + unique)
	w.services = w.createDatabase("services_" + unique)
	w.replicaDatabase, w.replicaBroker = w.database, w.broker
	w.definitions = Definitions()
	if s.arrange != nil {
		s.arrange(w)
	}
	w.sql, w.ledger = w.open(w.database), w.open(w.services)
	for i := range s.replicaCount() {
		w.addReplica(fmt.Sprintf("replica-%d", i))
	}
	for i := range 2 {
		w.workers = append(w.workers, newProcess(t, fmt.Sprintf("worker-%d", i),
			built.path(t, "internal/test/chaos/worker", s.failpoints), append([]string{
				"DATABASE_URL=" + w.services, "AMQP_URL=" + w.broker, "AMQP_PREFIX=" + w.prefix, "CHAOS_DUPLICATES=0.05",
				"FAILPOINTS_LOG=" + w.hitsLog,
			}, s.workerEnvironment...)))
	}
	w.ready()
	for name, definition := range w.definitions {
		w.anyAPI(0).must(t, http.MethodPut, "/v1/definitions/"+name, definition, nil, http.StatusCreated)
	}
	w.load = newLoad(w)
	t.Cleanup(w.load.stop)
	return w
}

// addReplica starts one more orchestrator.
func (w *world) addReplica(name string) *process {
	w.t.Helper()
	port, err := servers.FreePort()
	require.NoError(w.t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p := newProcess(w.t, name, built.path(w.t, "cmd/orchestrator", w.scenario.failpoints), append([]string{
		"DATABASE_URL=" + w.replicaDatabase, "AMQP_URL=" + w.replicaBroker, "AMQP_PREFIX=" + w.prefix, "ORCHESTRATOR_URL=",
		"FAILPOINTS_LOG=" + w.hitsLog,
	}, w.scenario.replicaEnvironment...), "serve", "--migrate", "--auth", "none", "--listen", address)
	w.replicas, w.apis = append(w.replicas, p), append(w.apis, newAPI(address))
	return p
}

// ready waits until every replica serves.
func (w *world) ready() {
	w.t.Helper()
	for i := range w.apis {
		w.await(60*time.Second, "a replica should be ready", func() bool {
			status, err := w.apis[i].call(http.MethodGet, "/readyz", "", nil, nil)
			return err == nil && status == http.StatusOK
		})
	}
}

// anyAPI is one of the replicas, each in its turn.
func (w *world) anyAPI(turn int) *api { return w.apis[turn%len(w.apis)] }

// createDatabase makes a database that is dropped with the test, if the server still runs then.
func (w *world) createDatabase(name string) string {
	w.t.Helper()
	w.execute("create database " + name + " template template0")
	w.t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), w.databaseURL()); err == nil {
			defer conn.Close(context.Background())
			_, _ = conn.Exec(context.Background(), "drop database "+name+" with (force)") // a broken arena goes as a whole
		}
	})
	u, err := url.Parse(w.databaseURL())
	require.NoError(w.t, err)
	u.Path = "/" + name
	return u.String()
}

// execute runs a statement as the server's administrator.
func (w *world) execute(statement string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.databaseURL())
	require.NoError(w.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(w.t.Context(), statement)
	require.NoError(w.t, err, statement)
}

func (w *world) open(databaseURL string) *pgxpool.Pool {
	w.t.Helper()
	settings, err := pgxpool.ParseConfig(databaseURL)
	require.NoError(w.t, err)
	settings.MaxConns = 2
	settings.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), settings)
	require.NoError(w.t, err)
	w.t.Cleanup(pool.Close)
	return pool
}

// count asks the orchestrator's database for one number; -1 means that it does not answer.
func (w *world) count(query string) int { return countIn(w.sql, query) }

// notes counts what the workers have taken down of one kind.
func (w *world) notes(kind string) int {
	return countIn(w.ledger, `select count(distinct command) from notes where kind = $1`, kind)
}

func countIn(pool *pgxpool.Pool, query string, arguments ...any) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n := -1
	if err := pool.QueryRow(ctx, query, arguments...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// await polls until something holds, and fails the test when it does not in time.
func (w *world) await(patience time.Duration, what string, holds func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > patience {
			require.FailNow(w.t, what, "not within %s", patience)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// broken notes the time of a fault; whole, called on what it returned, that of its end.
func (w *world) broken() (whole func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.spells)
	w.spells = append(w.spells, spell{struck: time.Now()})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.spells[i].healed = time.Now()
	}
}

// let passes time in which nothing is done: for a fault to last.
func (w *world) let(d time.Duration) {
	wait.For(w.t.Context(), d)
}
