package rabbit

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// socketBuffer is how much is read at once, and gathers at most before it is written: amqp091-go itself writes every
// message by itself and reads a few at a time, and each of both costs the broker as much as us.
const socketBuffer = 64 << 10

// socket bounds what amqp091-go leaves unbounded: a write into a connection that the broker does not read from blocks
// for ever, whatever the publisher's context says. While somebody holds it, what is written gathers; it leaves when the
// last one lets go, so that messages of many senders leave together and none waits for a timer.
type socket struct {
	net.Conn
	reader     *frameReader
	writeLimit time.Duration // of each write
	silence    time.Duration // how long the peer may say nothing

	holders  atomic.Int64
	mu       sync.Mutex // of writing, which can take as long as writeLimit
	gathered []byte
}

// Read reads large pieces, and mends what the library could not read.
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

// hold lets what is written gather until release.
func (s *socket) hold() { s.holders.Add(1) }

// release ends one hold, and writes what has gathered if it was the last. Before that it lets go those go first who are
// about to send something, too: on few cores they would else come one by one.
func (s *socket) release() error {
	wait.Yield()
	if s.holders.Add(-1) > 0 {
		return nil
	}
	return s.flush()
}

// flush writes what has gathered, whoever holds the socket: for those who have to wait for an answer to it.
func (s *socket) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.send()
}

// SetReadDeadline is called by the library with three heartbeats from now; that is longer than we want to wait.
func (s *socket) SetReadDeadline(deadline time.Time) error {
	if limit := time.Now().Add(s.silence); deadline.After(limit) {
		deadline = limit
	}
	return s.Conn.SetReadDeadline(deadline)
}

// dialSocket connects, and bounds the handshake that follows.
func dialSocket(ctx context.Context, network, address string, config Config, limits *readLimits) (*socket, error) {
	dialer := net.Dialer{Timeout: config.Timeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(2 * config.Timeout)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
	}
	return &socket{
		Conn: conn, reader: newFrameReader(conn, limits), writeLimit: config.Timeout, silence: 2 * config.Heartbeat,
	}, nil
}
