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

// fixture is what one scenario runs in: a database for the orchestrator and one for the services, a prefix on the
// broker, processes of replicas and workers, and the load.
type fixture struct {
	*serverSet
	t        *testing.T
	scenario scenario
	seed     uint64

	database, services string   // URLs of the test's own connections
	replicaDatabase    string   // the replicas' URL
	ownDatabases       []string // the URL of each replica, if it has its own
	ownRoles           []string // the users of these
	broker             string   // URL
	replicaBroker      string   // the replicas' URL
	prefix             string
	replicas, workers  []*process
	apis               []*api
	sql, ledger        *pgxpool.Pool
	load               *load
	definitions        map[string]*saga.Definition // by name, and by name@version beyond the first
	proxy              *proxy.Proxy                // if arrange has started one
	peer               *amqpproxy.Proxy            // the same in front of the broker
	postgresPeer       *pgproxy.Proxy
	hitsLog            string           // the log of the failpoints
	program            string           // of the replicas; empty: the one that is built from this source
	patroni            *servers.Patroni // if arrange has started it
	backup             string           // a file for a backup of the database

	// inject sets these for verify.
	expectDead, revisions int
	burstAt               time.Time
	cancelled             map[string]bool
	lost                  map[string]bool // sagas that the standby never had
	older                 map[string]bool // sagas whose last commits the standby may lack
	old                   []string

	mu     sync.Mutex
	spells []spell
}

// spell is the duration of one fault.
type spell struct{ struck, healed time.Time }

// newFixture starts the processes of a scenario and registers the definitions.
func newFixture(t *testing.T, a *serverSet, s scenario, seed uint64) *fixture {
	t.Helper()
	fx := &fixture{serverSet: a, t: t, scenario: s, seed: seed, broker: a.amqpURL()}
	unique := strings.ToLower(rand.Text()[:8])
	fx.hitsLog = filepath.Join(t.TempDir(), "failpoints")
	fx.prefix = fmt.Sprintf("f%d-%s", s.number, unique)
	fx.database = fx.createDatabase("sagas_" + unique)
	fx.services = fx.createDatabase("services_" + unique)
	fx.replicaDatabase, fx.replicaBroker = fx.database, fx.broker
	fx.definitions = Definitions()
	if s.arrange != nil {
		s.arrange(fx)
	}
	fx.sql, fx.ledger = fx.open(fx.database), fx.open(fx.services)
	for i := range s.replicaCount() {
		fx.addReplica(fmt.Sprintf("replica-%d", i))
	}
	for i := range 2 {
		fx.workers = append(fx.workers, newProcess(t, fmt.Sprintf("worker-%d", i),
			built.path(t, "internal/test/chaos/worker", s.failpoints), append([]string{
				"DATABASE_URL=" + fx.services, "AMQP_URL=" + fx.broker, "AMQP_PREFIX=" + fx.prefix, "CHAOS_DUPLICATES=0.05",
				"FAILPOINTS_LOG=" + fx.hitsLog,
			}, s.workerEnvironment...)))
	}
	fx.ready()
	for name, definition := range fx.definitions {
		require.Eventually(t, func() bool { // a busy machine may answer 503
			status, err := fx.anyAPI(0).call(http.MethodPut, "/v1/definitions/"+name, "", definition, nil)
			return err == nil && (status == http.StatusCreated || status == http.StatusOK)
		}, time.Minute, 100*time.Millisecond, "PUT /v1/definitions/%s", name)
	}
	fx.load = newLoad(fx)
	t.Cleanup(fx.load.stop)
	return fx
}

// addReplica starts another orchestrator.
func (fx *fixture) addReplica(name string) *process {
	fx.t.Helper()
	port, err := servers.FreePort()
	require.NoError(fx.t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	program, arguments := fx.program, []string{"serve", "--auth", "none", "--listen", address}
	if program == "" {
		program = built.path(fx.t, "cmd/orchestrator", fx.scenario.failpoints)
	}
	if !fx.scenario.migrated {
		arguments = append(arguments, "--migrate")
	}
	database := fx.replicaDatabase
	if i := len(fx.replicas); i < len(fx.ownDatabases) {
		database = fx.ownDatabases[i]
	}
	p := newProcess(fx.t, name, program, append([]string{
		"DATABASE_URL=" + database, "AMQP_URL=" + fx.replicaBroker, "AMQP_PREFIX=" + fx.prefix, "ORCHESTRATOR_URL=",
		"FAILPOINTS_LOG=" + fx.hitsLog,
	}, fx.scenario.replicaEnvironment...), arguments...)
	fx.replicas, fx.apis = append(fx.replicas, p), append(fx.apis, newAPI(address))
	return p
}

// ready waits until every replica is ready.
func (fx *fixture) ready() {
	fx.t.Helper()
	for i := range fx.apis {
		fx.await(60*time.Second, "a replica should be ready", func() bool {
			status, err := fx.apis[i].call(http.MethodGet, "/readyz", "", nil, nil)
			return err == nil && status == http.StatusOK
		})
	}
}

// anyAPI returns the replicas in turn.
func (fx *fixture) anyAPI(turn int) *api { return fx.apis[turn%len(fx.apis)] }

// createDatabase creates a database that is dropped after the test, if the server still runs.
func (fx *fixture) createDatabase(name string) string {
	fx.t.Helper()
	fx.execute("create database " + name + " template template0")
	fx.t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), fx.databaseURL()); err == nil {
			defer conn.Close(context.Background())
			_, _ = conn.Exec(context.Background(), "drop database "+name+" with (force)") // broken servers are discarded as a whole
		}
	})
	u, err := url.Parse(fx.databaseURL())
	require.NoError(fx.t, err)
	u.Path = "/" + name
	return u.String()
}

// execute runs a statement as the server's administrator.
func (fx *fixture) execute(statement string) {
	fx.t.Helper()
	conn, err := pgx.Connect(fx.t.Context(), fx.databaseURL())
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(fx.t.Context(), statement)
	require.NoError(fx.t, err, statement)
}

func (fx *fixture) open(databaseURL string) *pgxpool.Pool {
	fx.t.Helper()
	settings, err := pgxpool.ParseConfig(databaseURL)
	require.NoError(fx.t, err)
	settings.MaxConns = 2
	settings.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), settings)
	require.NoError(fx.t, err)
	fx.t.Cleanup(pool.Close)
	return pool
}

// count queries one number from the orchestrator's database; -1: no answer.
func (fx *fixture) count(query string) int { return countIn(fx.sql, query) }

// notes counts the workers' notes of one kind.
func (fx *fixture) notes(kind string) int {
	return countIn(fx.ledger, `select count(distinct command) from notes where kind = $1`, kind)
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

// await polls until a condition holds, and fails the test after the timeout.
func (fx *fixture) await(patience time.Duration, what string, holds func() bool) time.Duration {
	fx.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > patience {
			require.FailNow(fx.t, what, "not within %s", patience)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// broken records the start of a fault; whole records its end.
func (fx *fixture) broken() (whole func()) {
	fx.mu.Lock()
	defer fx.mu.Unlock()
	i := len(fx.spells)
	fx.spells = append(fx.spells, spell{struck: time.Now()})
	return func() {
		fx.mu.Lock()
		defer fx.mu.Unlock()
		fx.spells[i].healed = time.Now()
	}
}

// let waits while a fault lasts.
func (fx *fixture) let(d time.Duration) {
	wait.For(fx.t.Context(), d)
}
