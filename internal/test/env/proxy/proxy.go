package proxy

import (
	"fmt"
	"net"
	"net/url"
	"sync"
)

// Proxy forwards connections to a server. Close it after use.
type Proxy struct {
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	targets []string // new connections go to the first that answers
	down    bool
	flowing chan struct{} // closed while bytes flow
	conns   map[net.Conn]bool
	lose    func(answer []byte) bool
}

// Start starts a proxy to the server of a URL. It returns the URL that leads through the proxy.
func Start(serverURL string) (*Proxy, string, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return nil, "", fmt.Errorf("read the server's URL: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen for clients: %w", err)
	}
	p := &Proxy{
		listener: listener, targets: []string{u.Host}, flowing: make(chan struct{}), conns: make(map[net.Conn]bool),
		lose: func([]byte) bool { return false },
	}
	close(p.flowing)
	p.work.Go(p.accept)
	u.Host = listener.Addr().String()
	return p, u.String(), nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		targets := p.targets
		p.mu.Unlock()
		server, err := dialFirst(targets)
		if err != nil || !p.add(client, server) {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.work.Go(func() { p.pump(client, server, false) })
		p.work.Go(func() { p.pump(server, client, true) })
	}
}

func (p *Proxy) add(conns ...net.Conn) bool {
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

func (p *Proxy) pump(from, to net.Conn, answers bool) {
	defer p.forget(from)
	defer p.forget(to)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		flowing, lose := p.flowing, p.lose
		p.mu.Unlock()
		<-flowing
		if answers && lose(buffer[:n]) {
			reset(from)
			reset(to)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) forget(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// Connections returns the number of open connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2 // each has two ends
}

// Lose calls lose with every answer of the server. If it returns true, the answer is dropped and its connection reset.
func (p *Proxy) Lose(lose func(answer []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = lose
}

// Lead sends new connections to another server, given as host:port: to the first one that answers.
func (p *Proxy) Lead(targets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = targets
}

// dialFirst connects to the first server that answers.
func dialFirst(targets []string) (server net.Conn, err error) {
	for _, target := range targets {
		if server, err = net.Dial("tcp", target); err == nil {
			return server, nil
		}
	}
	return nil, err
}

// Cut resets every connection. New connections work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		reset(conn)
	}
	clear(p.conns)
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Down resets every connection and refuses new ones until Up.
func (p *Proxy) Down() { p.setDown(true); p.Cut() }

// Up ends a Down.
func (p *Proxy) Up() { p.setDown(false) }

func (p *Proxy) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Stall keeps connections open but forwards no bytes until Flow: a half-open link.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flowing = make(chan struct{})
}

// Flow ends a Stall.
func (p *Proxy) Flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flowing:
	default:
		close(p.flowing)
	}
}

// Close ends all connections and waits for the proxy's goroutines.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.Flow()
	p.Down()
	p.work.Wait()
}
