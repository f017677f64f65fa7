package rabbit_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// A cluster does so whose queue had no leader when the channel met it.
func TestACommandThatOneChannelRefusesIsSentOnANewOne(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	peer, url := startPeer(t, config.URL)
	config.URL = url
	b := connect(t, config, "payments")
	var refused, opened atomic.Int64
	peer.Set(amqpproxy.Rules{
		Confirm: func(_, key string) amqpproxy.Confirmation {
			return amqpproxy.Confirmation{Negative: key == "payments" && refused.Add(1) == 1}
		},
		Client: func(_ *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
			if f.Method() == amqpproxy.ChannelOpen {
				opened.Add(1)
			}
			return []amqpproxy.Frame{f}
		},
	})
	receipts := publishAll(t, b, commands("payments", 1))
	assert.Equal(t, wire.Confirmed, receipts[0].Outcome, receipts[0].Reason)
	require.Eventually(t, func() bool { return opened.Load() >= 2 && b.Ready() == nil }, patience, 10*time.Millisecond, "the session has a new channel")
	publish(t, b, commands("payments", 20))
}

// A cluster answers so while the node that holds the prefix's marker is down.
func TestAMarkerThatIsUnreachableStopsNothing(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	config.Installation = "ours"
	connect(t, config, "payments")
	peer, url := startPeer(t, config.URL)
	config.URL = url
	peer.Set(amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Method() == amqpproxy.QueueDeclare && bytes.Contains(f.Payload, []byte(".installation")) {
			c.CloseChannel(f.Channel, 404, "NOT_FOUND - home node is down or inaccessible")
			return nil
		}
		return []amqpproxy.Frame{f}
	}})
	b := connect(t, config, "payments")
	publish(t, b, commands("payments", 3))
	require.NoError(t, b.Ready())
}
