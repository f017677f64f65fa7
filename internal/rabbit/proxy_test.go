package rabbit_test

import (
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a client and the broker, to do what networks do.
type proxy struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu      sync.Mutex
	down    bool
	flowing chan struct{} // closed while bytes flow
	conns   map[net.Conn]bool
}

// startProxy returns a proxy to the broker and the URL by which to go through it.
func startProxy(t *testing.T, brokerURL string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(brokerURL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, target: u.Host, flowing: make(chan struct{}), conns: make(map[net.Conn]bool)}
	close(p.flowing)
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.add(client, server) {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.work.Go(func() { p.pump(client, server) })
		p.work.Go(func() { p.pump(server, client) })
	}
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return true
}

func (p *proxy) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		flowing := p.flowing
		p.mu.Unlock()
		<-flowing
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Cut resets every connection. New ones are let through.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	clear(p.conns)
}

// Down cuts and lets nobody through until Up.
func (p *proxy) Down() { p.setDown(true); p.Cut() }

// Up lets connections through again.
func (p *proxy) Up() { p.setDown(false) }

func (p *proxy) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Stall keeps connections open and lets no byte through until Flow: a half-open link.
func (p *proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flowing = make(chan struct{})
}

// Flow ends a Stall.
func (p *proxy) Flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

func (p *proxy) close() {
	_ = p.listener.Close()
	p.Flow()
	p.Down()
	p.work.Wait()
}
