package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// MaxConnections is how many connections a listener should hold at the same time. It is more than the requests that
// the shares allow together, so that some connection can always make room for a new one.
const MaxConnections = 2048

// phase is what a connection is doing. Its order does not matter; rank decides who makes room.
type phase int

const (
	phaseNew       phase = iota // accepted, no request has arrived yet
	phaseIdle                   // between two requests
	phaseReceiving              // the body of a request is arriving
	phaseWorking                // a request is being worked on, waits for a change, or streams
	phaseSending                // an answer is being written
)

// slowAfter is how long a client may take over a request's head, its body or an answer before it counts as slow.
const slowAfter = time.Second

// never is the rank of a connection that does not make room.
const never = 7

// rank orders connections by how little is lost when they are closed: slow senders of heads first, then idle
// connections, slow bodies and slow readers; those that have just begun come last.
func (p phase) rank(slow bool) int {
	switch {
	case p == phaseNew && slow:
		return 0
	case p == phaseIdle:
		return 1
	case p == phaseReceiving && slow:
		return 2
	case p == phaseSending && slow:
		return 3
	case p == phaseNew:
		return 4
	case p == phaseReceiving:
		return 5
	case p == phaseSending:
		return 6
	default:
		return never
	}
}

// LimitConnections makes a listener hold at most so many connections. At the limit a new connection takes the place of
// the one that is least missed: silent, idle or slow ones never keep a probe or a start out. NewServer reports to it
// what each connection is doing.
func LimitConnections(listener net.Listener, limit int) net.Listener {
	return &gate{
		Listener: listener, limit: limit, held: make(map[*connection]struct{}),
		left: wait.NewSignal(), closed: make(chan struct{}),
	}
}

type gate struct {
	net.Listener
	limit int

	mutex sync.Mutex
	held  map[*connection]struct{}
	left  wait.Signal // fires when a connection has left, or may be closed now
	once  sync.Once

	closed chan struct{}
}

// Accept waits for a connection, and for room if every other connection is being worked for.
func (g *gate) Accept() (net.Conn, error) {
	accepted, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: accepted, gate: g, since: time.Now()}
	for !g.admit(c) {
		select {
		case <-g.left.C():
		case <-g.closed:
			_ = accepted.Close() // the listener has ended, and the connection with it
			return nil, net.ErrClosed
		}
	}
	return c, nil
}

// Close ends Accept too, also one that waits for room.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// admit holds the connection, if need be in place of another one. It reports whether there was room.
func (g *gate) admit(c *connection) bool {
	g.mutex.Lock()
	var victim *connection
	if len(g.held) >= g.limit {
		if victim = g.leastMissed(time.Now()); victim == nil {
			g.mutex.Unlock()
			return false
		}
		delete(g.held, victim)
	}
	g.held[c] = struct{}{}
	g.mutex.Unlock()
	if victim != nil {
		_ = victim.Conn.Close() // its server goroutine sees the end and cleans up
	}
	return true
}

// leastMissed finds the connection to close: the lowest rank, and of those the one that has been in it for longest.
func (g *gate) leastMissed(now time.Time) *connection {
	var found *connection
	least := never
	for c := range g.held {
		rank := c.phase.rank(now.Sub(c.since) >= slowAfter)
		if rank < least || rank == least && found != nil && c.since.Before(found.since) {
			found, least = c, rank
		}
	}
	return found
}

func (g *gate) leave(c *connection) {
	g.mutex.Lock()
	delete(g.held, c)
	g.mutex.Unlock()
	g.left.Notify()
}

// connection is a connection of a gate. Its phase belongs to the gate's mutex.
type connection struct {
	net.Conn
	gate  *gate
	phase phase
	since time.Time // when the phase began
}

// Close gives the place back.
func (c *connection) Close() error {
	defer c.gate.leave(c)
	return c.Conn.Close()
}

// CloseWrite ends the sending half. The HTTP server asks for it, so that a refusal reaches a client that still sends.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// enter notes what the connection is doing from now on. A nil connection is one without a gate.
func (c *connection) enter(p phase) {
	if c == nil {
		return
	}
	c.gate.mutex.Lock()
	c.phase, c.since = p, time.Now()
	c.gate.mutex.Unlock()
	if p != phaseWorking {
		c.gate.left.Notify()
	}
}

type connectionKey struct{}

// connectionOf returns the connection that a request came over; nil where no gate is in front.
func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// withConnection lets handlers find the connection of their request.
func withConnection(ctx context.Context, accepted net.Conn) context.Context {
	if c, ok := accepted.(*connection); ok {
		return context.WithValue(ctx, connectionKey{}, c)
	}
	return ctx
}

// followConnection takes in what the HTTP server knows of a connection.
func followConnection(accepted net.Conn, state http.ConnState) {
	c, ok := accepted.(*connection)
	if !ok {
		return
	}
	switch state {
	case http.StateActive:
		c.enter(phaseWorking)
	case http.StateIdle:
		c.enter(phaseIdle)
	default: // new ones begin as such, closed ones leave by themselves
	}
}
