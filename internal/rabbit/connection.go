package rabbit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connection is one connection to the broker, until it is lost.
type connection struct {
	amqp   *amqp.Connection
	socket *socket
	limits *readLimits
	limit  time.Duration // of one question to the broker
	gone   chan struct{} // closed once the connection is lost

	mu      sync.Mutex
	blocked string // why the broker does not read from this connection; empty: it does
	lost    error  // set before gone is closed
}

// dial opens a connection. Unlike the library, it honours its context.
func dial(ctx context.Context, config Config, name string, limits *readLimits) (*connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	var dialled *socket
	stop := func() bool { return true }
	url, uri, err := plainURL(config.URL)
	if err != nil {
		return nil, err
	}
	opened, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: config.Heartbeat, Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			var err error
			if dialled, err = dialSocket(ctx, network, address, config, limits, &uri); err != nil {
				return nil, err
			}
			stop = context.AfterFunc(ctx, func() { _ = dialled.Close() })
			return dialled, nil
		},
	})
	stop()
	if err != nil {
		if dialled != nil {
			_ = dialled.Close()
		}
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	if negotiated := opened.Config.FrameSize; negotiated > 0 {
		limits.frame.Store(int64(negotiated))
	}
	return &connection{amqp: opened, socket: dialled, limits: limits, limit: config.Timeout, gone: make(chan struct{})}, nil
}

// watch reads the library's notifications until the connection is lost. An unread listener would block the library.
func (c *connection) watch(log *slog.Logger) {
	closed := c.amqp.NotifyClose(make(chan *amqp.Error, 1))
	blocked := c.amqp.NotifyBlocked(make(chan amqp.Blocking, 4))
	reason := errors.New("connection closed")
	for closed != nil || blocked != nil {
		select {
		case fault, open := <-closed:
			if !open {
				closed = nil
				continue
			}
			reason = fmt.Errorf("connection lost: %w", fault)
		case state, open := <-blocked:
			if !open {
				blocked = nil
				continue
			}
			c.setBlocked(state)
			log.Warn("RabbitMQ blocks or unblocks publishing", "blocked", state.Active, "reason", state.Reason)
		}
	}
	c.mu.Lock()
	c.lost = reason
	c.mu.Unlock()
	close(c.gone)
}

func (c *connection) setBlocked(state amqp.Blocking) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocked = ""
	if state.Active {
		c.blocked = cmp.Or(state.Reason, "it gave no reason")
	}
}

// whyBlocked returns why the broker does not read from this connection, or "".
func (c *connection) whyBlocked() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocked
}

// loss returns why the connection was lost.
func (c *connection) loss() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

func (c *connection) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// within runs library calls, which have no deadline. A call that takes too long severs the connection and so ends.
func (c *connection) within(call func() error) error {
	watchdog := time.AfterFunc(c.limit, c.sever)
	defer watchdog.Stop()
	return call()
}

// channel opens a channel. The library's own call can block forever.
func (c *connection) channel() (*amqp.Channel, error) {
	var channel *amqp.Channel
	err := c.within(func() (err error) {
		channel, err = c.amqp.Channel()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	return channel, nil
}

// version returns the broker's version as the broker reports it.
func (c *connection) version() string {
	version, _ := c.amqp.Properties["version"].(string)
	return version
}

// sever closes the socket at once.
func (c *connection) sever() { _ = c.socket.Close() }

// close closes the connection properly, and severs it after closePatience: the library misses its own deadline if the
// broker does not read.
func (c *connection) close() {
	watchdog := time.AfterFunc(closePatience, c.sever)
	defer watchdog.Stop()
	_ = c.amqp.CloseDeadline(time.Now().Add(closePatience))
	c.sever()
}

// is reports whether an error is the broker's refusal with this code.
func is(err error, code int) bool {
	var refusal *amqp.Error
	return errors.As(err, &refusal) && refusal.Code == code
}
