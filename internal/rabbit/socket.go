package rabbit

import (
	"context"
	"fmt"
	"net"
	"time"
)

// socket bounds what amqp091-go leaves unbounded: a write into a connection that the broker does not read from blocks
// for ever, whatever the publisher's context says.
type socket struct {
	net.Conn
	writeLimit time.Duration // of each write
	silence    time.Duration // how long the peer may say nothing
}

func (s *socket) Write(content []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.writeLimit)); err != nil {
		return 0, err
	}
	return s.Conn.Write(content)
}

// SetReadDeadline is called by the library with three heartbeats from now; that is longer than we want to wait.
func (s *socket) SetReadDeadline(deadline time.Time) error {
	if limit := time.Now().Add(s.silence); deadline.After(limit) {
		deadline = limit
	}
	return s.Conn.SetReadDeadline(deadline)
}

// dialSocket connects, and bounds the handshake that follows.
func dialSocket(ctx context.Context, network, address string, config Config) (*socket, error) {
	dialer := net.Dialer{Timeout: config.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(2 * config.Timeout)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
	}
	return &socket{Conn: conn, writeLimit: config.Timeout, silence: 2 * config.Heartbeat}, nil
}
