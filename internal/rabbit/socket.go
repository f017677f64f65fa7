package rabbit

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// socketBuffer is the size of reads, and the most that gathers before a write. amqp091-go writes each message alone and
// reads a few at a time, which costs the broker as much as this process.
const socketBuffer = 64 << 10

// socket adds the limits that amqp091-go lacks: a write to a connection that the broker does not read blocks forever,
// whatever the publisher's context. While the socket is held, writes gather; the last release flushes them, so that the
// messages of many senders leave together without a timer.
type socket struct {
	net.Conn
	reader     *frameReader
	writeLimit time.Duration // of each write
	silence    time.Duration // after which the peer is lost

	holders  atomic.Int64
	mu       sync.Mutex // held while writing, for up to writeLimit
	gathered []byte
}

// Read reads large pieces, and mends what the library would refuse.
func (s *socket) Read(content []byte) (int, error) { return s.reader.Read(content) }

func (s *socket) Write(content []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gathered = append(s.gathered, content...)
	if s.holders.Load() > 0 && len(s.gathered) < socketBuffer {
		return len(content), nil
	}
	if err := s.send(); err != nil {
		return 0, err
	}
	return len(content), nil
}

// send writes what has gathered.
func (s *socket) send() error {
	if len(s.gathered) == 0 {
		return nil
	}
	content := s.gathered
	s.gathered = s.gathered[:0]
	if err := s.SetWriteDeadline(time.Now().Add(s.writeLimit)); err != nil {
		return err
	}
	_, err := s.Conn.Write(content)
	return err
}

// hold makes writes gather until release.
func (s *socket) hold() { s.holders.Add(1) }

// release ends a hold. The last release flushes, after other goroutines had the chance to add their messages.
func (s *socket) release() error {
	wait.Yield()
	if s.holders.Add(-1) > 0 {
		return nil
	}
	return s.flush()
}

// flush writes what has gathered, even while the socket is held: for a caller that waits for the answer.
func (s *socket) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send()
}

// SetReadDeadline overrides the library's deadline of three heartbeats with a shorter one.
func (s *socket) SetReadDeadline(deadline time.Time) error {
	if limit := time.Now().Add(s.silence); deadline.After(limit) {
		deadline = limit
	}
	return s.Conn.SetReadDeadline(deadline)
}

// dialSocket connects. The deadline also covers the handshake.
func dialSocket(
	ctx context.Context, network, address string, config Config, limits *readLimits, uri *amqp.URI,
) (*socket, error) {
	dialer := net.Dialer{Timeout: config.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(2 * config.Timeout)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
	}
	if uri.Scheme == amqps {
		over, err := secured(ctx, conn, uri)
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = over
	}
	return &socket{
		Conn: conn, reader: newFrameReader(conn, limits), writeLimit: config.Timeout, silence: 2 * config.Heartbeat,
	}, nil
}
