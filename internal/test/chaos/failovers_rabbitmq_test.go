package chaos

import (
	"maps"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// threeNodes is a RabbitMQ cluster behind a load balancer, beside the lane's Postgres. All clients reach the last node while it
// answers, so that it has the leaders of all queues.
func threeNodes(t *testing.T, lane *serverSet) *serverSet {
	t.Helper()
	session, err := servers.Open("")
	require.NoError(t, err)
	t.Cleanup(session.Close)
	nodes, err := session.Cluster(t.Context(), 3)
	require.NoError(t, err)
	p, through, err := proxy.Start(nodes[2].URL)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	p.Lead(host(t, nodes[2].URL), host(t, nodes[0].URL), host(t, nodes[1].URL))
	own := &serverSet{session: lane.session, env: maps.Clone(lane.env), nodes: nodes}
	own.env["AMQP_URL"], own.env["TESTENV_RABBITMQ_DIR"] = through, nodes[0].Dir
	return own
}

func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}

// killNode kills the node to which all are connected, and starts it again.
func killNode(fx *fixture) int {
	victim := env.ServerIn(fx.t, fx.nodes[2].Dir)
	whole := fx.broken()
	victim.Stop(syscall.SIGKILL)
	fx.progressAgain(60 * time.Second)
	whole()
	fx.let(lasting(5*time.Second, time.Second))
	victim.Start()
	return 1
}

// isolateNode cuts the node off. It pauses, since it is the minority: it closes its connections until it has the others again.
func isolateNode(fx *fixture) int {
	whole := fx.broken()
	require.NoError(fx.t, fx.nodes[2].Isolate())
	fx.progressAgain(90 * time.Second)
	whole()
	fx.let(lasting(10*time.Second, 5*time.Second))
	require.NoError(fx.t, fx.nodes[2].Reunite(fx.nodes))
	fx.await(90*time.Second, "the node should take clients again", func() bool {
		return servers.CheckRabbitMQ(fx.t.Context(), fx.nodes[2].URL) == nil
	})
	return 1
}

// progressAgain waits until sagas end that were started after the call: commands and replies pass.
func (fx *fixture) progressAgain(patience time.Duration) {
	fx.t.Helper()
	id := fx.startOneOf(patience)
	took := fx.await(patience, "a new saga should end", func() bool {
		return countIn(fx.sql, `select count(*) from sagas where id = $1 and status = 'completed'`, id) == 1
	})
	fx.t.Logf("a saga that was started after the fault completed after %s", took)
}

// startOneOf starts a saga, with retries, and returns its id.
func (fx *fixture) startOneOf(patience time.Duration) (id string) {
	fx.t.Helper()
	fx.await(patience, "a saga should start", func() bool {
		id = fx.startOne("single", Data{})
		return id != ""
	})
	return id
}
