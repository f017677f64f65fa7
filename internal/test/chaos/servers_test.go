package chaos

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// serverSet is a private Postgres and a private RabbitMQ, which one scenario at a time may break.
type serverSet struct {
	session *servers.Session
	env     map[string]string
	nodes   []servers.Node // of the scenario's cluster
}

// serverPool has one set for each lane of concurrent scenarios. A set is started when it is first needed, and reused by
// the next scenario unless a scenario failed on it.
type serverPool struct {
	free chan *serverSet // nil: still to be started

	mu  sync.Mutex
	all []*serverSet
}

func newServerPool(lanes int) *serverPool {
	a := &serverPool{free: make(chan *serverSet, lanes)}
	for range lanes {
		a.free <- nil
	}
	return a
}

// take waits for a set and reserves it until the test ends.
func (a *serverPool) take(t *testing.T) *serverSet {
	t.Helper()
	got := <-a.free
	t.Cleanup(func() {
		if t.Failed() || got == nil || got.check() != nil {
			a.close(got)
			got = nil
		}
		a.free <- got
	})
	if got == nil {
		var err error
		got, err = openServers(t.Context(), "", servers.Postgres, servers.RabbitMQ)
		require.NoError(t, err)
		a.mu.Lock()
		a.all = append(a.all, got)
		a.mu.Unlock()
	}
	return got
}

// openServers starts servers with their files below a directory.
func openServers(ctx context.Context, parent string, names ...string) (*serverSet, error) {
	session, err := servers.Open(parent)
	if err != nil {
		return nil, err
	}
	env, err := session.Own(ctx, names...)
	if err != nil {
		session.Close()
		return nil, err
	}
	return &serverSet{session: session, env: env}, nil
}

func (a *serverPool) close(one *serverSet) {
	if one == nil {
		return
	}
	one.session.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.all {
		if a.all[i] == one {
			a.all = append(a.all[:i], a.all[i+1:]...)
			return
		}
	}
}

func (a *serverPool) closeAll() {
	for len(a.all) > 0 {
		a.close(a.all[0])
	}
}

func (a *serverSet) databaseURL() string { return a.env["DATABASE_URL"] }
func (a *serverSet) amqpURL() string     { return a.env["AMQP_URL"] }

// check reports whether the next scenario can use the servers.
func (a *serverSet) check() error {
	ctx := context.Background()
	return errors.Join(servers.CheckPostgres(ctx, a.databaseURL()), servers.CheckRabbitMQ(ctx, a.amqpURL()))
}

func (a *serverSet) postgres(t *testing.T) *env.Server {
	t.Helper()
	return env.ServerIn(t, a.env["TESTENV_POSTGRES_DIR"])
}

func (a *serverSet) rabbitmq(t *testing.T) *env.Server {
	t.Helper()
	return env.ServerIn(t, a.env["TESTENV_RABBITMQ_DIR"])
}

// pooler returns the pgbouncer that the URL leads through.
func (a *serverSet) pooler(t *testing.T, databaseURL string) *env.Server {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	dir := filepath.Join(filepath.Dir(a.env["TESTENV_POSTGRES_DIR"]), "pgbouncer-"+u.Port())
	return env.ServerIn(t, dir)
}

// control runs rabbitmqctl on the set's broker and returns its output.
func (a *serverSet) control(t *testing.T, arguments ...string) string {
	t.Helper()
	script := `. "$1"; shift; exec "$@"`
	program := filepath.Join(a.env["TESTENV_RABBITMQ_BIN"], "rabbitmqctl")
	settings := filepath.Join(a.env["TESTENV_RABBITMQ_DIR"], "env")
	command := exec.Command("/bin/sh", append([]string{"-c", script, "sh", settings, program, "--quiet"}, arguments...)...)
	command.Env = os.Environ()
	output, err := command.CombinedOutput()
	require.NoError(t, err, "rabbitmqctl %v: %s", arguments, output)
	return string(output)
}
