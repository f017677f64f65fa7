package rabbit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// A broker that refuses a user is not away, and one that is away has nothing to say any more.
func TestARefusalIsToldFromALostConnection(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	peer, url := startPeer(t, config.URL)
	peer.Set(withoutConfigure())
	config.URL = url
	b := start(t, config)
	objects := func(err error) bool {
		obstacle, is := errors.AsType[*wire.Obstacle](err)
		return is && obstacle.What == "the broker refuses the user" && obstacle.Words == "ACCESS_REFUSED - access refused for user"
	}
	require.Eventually(t, func() bool {
		states := b.Connections()
		return objects(b.Ready()) && objects(b.CanPublish()) && objects(states["publish"]) && objects(states["declare"])
	}, patience, 10*time.Millisecond)
	require.Error(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	require.True(t, objects(b.Undeclared("payments")))
	require.NoError(t, b.Undeclared("never-declared"))

	peer.Close()
	require.Eventually(t, func() bool {
		obstacle, is := errors.AsType[*wire.Obstacle](b.Ready())
		return b.Ready() != nil && !is && obstacle == nil && errors.Is(b.CanPublish(), rabbit.ErrNotConnected)
	}, patience, 10*time.Millisecond)
}

// What the broker declares later is not refused any more.
func TestAQueueIsDeclaredOnceTheUserMay(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	connect(t, config) // the orchestrator's own exist
	peer, url := startPeer(t, config.URL)
	peer.Set(withoutConfigure())
	config.URL = url
	b := connect(t, config)
	require.Error(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	require.Error(t, b.Undeclared("payments"))
	peer.Set(amqpproxy.Rules{})
	publish(t, b, commands("payments", 1)) // a returned command has the queue declared
	require.NoError(t, b.Undeclared("payments"))
}

func TestABlockedConnectionIsExplained(t *testing.T) {
	t.Parallel()
	config := corner(t)
	peer, url := startPeer(t, config.URL)
	config.URL = url
	b := connect(t, config)
	peer.Set(blocking("low on memory"))
	b.Publish(t.Context(), commands("payments", 1), func(int, wire.Receipt) {})
	require.Eventually(t, func() bool {
		obstacle, is := errors.AsType[*wire.Obstacle](b.Ready())
		return is && obstacle.What == "the broker blocks publishers" && obstacle.Words == "low on memory" && obstacle.Public() == obstacle.What
	}, patience, 10*time.Millisecond)
}
