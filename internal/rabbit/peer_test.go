package rabbit_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
)

// startPeer starts a hostile peer in front of the broker for the test. It returns the URL that leads through it.
func startPeer(t *testing.T, brokerURL string) (*amqpproxy.Proxy, string) {
	t.Helper()
	p, through, err := amqpproxy.Start(brokerURL)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, through
}

// refusing closes the channel over the message with this id, as a broker does over one that is too large.
func refusing(messageID string) amqpproxy.Rules {
	return amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Kind == amqpproxy.KindHeader && bytes.Contains(f.Payload, []byte(messageID)) {
			c.CloseChannel(f.Channel, 406, "PRECONDITION_FAILED - message size is larger than configured max size")
		}
		return []amqpproxy.Frame{f}
	}}
}

// losingFirst cuts the connection over the first message to this queue, before the broker sees it.
func losingFirst(queue string) amqpproxy.Rules {
	var met atomic.Bool
	return amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Method() == amqpproxy.BasicPublish {
			if _, key := f.RoutingKey(); key == queue && met.CompareAndSwap(false, true) {
				c.Cut()
				return nil
			}
		}
		return []amqpproxy.Frame{f}
	}}
}

func neverConfirming(queue string) amqpproxy.Rules {
	return amqpproxy.Rules{Confirm: func(_, key string) amqpproxy.Confirmation {
		return amqpproxy.Confirmation{Never: key == queue}
	}}
}

// confirmingLate confirms the messages of one queue after a random time, and refuses those of another.
func confirmingLate(late, full string) amqpproxy.Rules {
	return amqpproxy.Rules{Confirm: func(_, key string) amqpproxy.Confirmation {
		switch key {
		case late:
			return amqpproxy.Confirmation{After: rand.N(500 * time.Millisecond)}
		case full:
			return amqpproxy.Confirmation{Negative: true, After: rand.N(50 * time.Millisecond)}
		default:
			return amqpproxy.Confirmation{}
		}
	}}
}

// withoutConfigure refuses every active declaration and every binding, as for a user without the right to configure.
func withoutConfigure() amqpproxy.Rules {
	declares := []amqpproxy.Method{amqpproxy.ExchangeDeclare, amqpproxy.QueueDeclare, amqpproxy.QueueBind}
	return amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if !slices.Contains(declares, f.Method()) || passive(f) {
			return []amqpproxy.Frame{f}
		}
		c.CloseChannel(f.Channel, 403, "ACCESS_REFUSED - access refused for user")
		return nil
	}}
}

// blocking says with each message that the broker reads no further ones.
func blocking(reason string) amqpproxy.Rules {
	return amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Method() == amqpproxy.BasicPublish {
			blocked := append([]byte{0, 10, 0, 60, byte(len(reason))}, reason...)
			c.Send(amqpproxy.Frame{Kind: amqpproxy.KindMethod, Payload: blocked})
		}
		return []amqpproxy.Frame{f}
	}}
}

// passive reports whether a declaration is passive: its flags come after its names.
func passive(f amqpproxy.Frame) bool {
	at := 6 + 1 + int(f.Payload[6])
	switch f.Method() {
	case amqpproxy.ExchangeDeclare:
		return f.Payload[at+1+int(f.Payload[at])]&1 == 1
	case amqpproxy.QueueDeclare:
		return f.Payload[at]&1 == 1
	default:
		return false
	}
}
