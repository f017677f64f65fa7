package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// MaxConnections is the number of connections that a listener should hold. It exceeds the sum of all request limits, so
// that some connection can always be closed for a new one.
const MaxConnections = 2048

// phase is the activity of a connection.
type phase int

const (
	phaseNew       phase = iota // accepted, without a request so far
	phaseIdle                   // between two requests
	phaseReceiving              // the body of a request is arriving
	phaseWorking                // a request is processed, waits for a change, or streams
	phaseSending                // an answer is being written
)

// slowAfter is the time after which a client counts as slow in sending a head or a body, or in reading an answer.
const slowAfter = time.Second

// never is the rank of a connection that is not closed for another.
const never = 7

// rank orders connections by the loss when they are closed. Slow senders of heads come first, then idle connections, slow
// bodies and slow readers.
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

// LimitConnections returns a listener that holds at most limit connections. At the limit it closes a silent, idle or slow
// connection for a new one. The server must come from NewServer, which reports the activity of each connection.
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
	left  wait.Signal // fires when a connection has left or has become closable
	once  sync.Once

	closed chan struct{}
}

// Accept waits for a connection, and for room if every other connection is processing a request.
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
			_ = accepted.Close() // the listener is closed
			return nil, net.ErrClosed
		}
	}
	return c, nil
}

// Close also ends an Accept that waits for room.
func (g *gate) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// admit adds the connection and closes another one if necessary. It reports whether there was room.
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
		_ = victim.Conn.Close() // its goroutine in the server cleans up
	}
	return true
}

// leastMissed returns the connection to close: the one with the lowest rank, and among those the longest in its phase.
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

// connection is a connection of a gate. The gate's mutex guards its phase.
type connection struct {
	net.Conn
	gate  *gate
	phase phase
	since time.Time // when the phase began
}

// Close also frees the place in the gate.
func (c *connection) Close() error {
	defer c.gate.leave(c)
	return c.Conn.Close()
}

// CloseWrite closes the sending half. The HTTP server calls it so that a refusal reaches a client that is still sending.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// enter sets the phase of the connection. The connection is nil if the listener has no gate.
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

// connectionOf returns the connection of a request; nil if the listener has no gate.
func connectionOf(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// gated returns the connection of a gate, also below TLS; nil if there is none.
func gated(accepted net.Conn) *connection {
	if secured, ok := accepted.(interface{ NetConn() net.Conn }); ok {
		accepted = secured.NetConn()
	}
	c, _ := accepted.(*connection)
	return c
}

// Inside returns a handler for calls from within the process. Their answers go to the caller in the process, so they do not
// change the phase of the connection that the caller serves.
func Inside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var none *connection
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connectionKey{}, none)))
	})
}

// withConnection adds the connection to the context of its requests.
func withConnection(ctx context.Context, accepted net.Conn) context.Context {
	if c := gated(accepted); c != nil {
		return context.WithValue(ctx, connectionKey{}, c)
	}
	return ctx
}

// followConnection maps the state that the HTTP server reports to a phase.
func followConnection(accepted net.Conn, state http.ConnState) {
	c := gated(accepted)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.enter(phaseWorking)
	case http.StateIdle:
		c.enter(phaseIdle)
	default: // a new connection is in phaseNew, and Close removes it
	}
}
