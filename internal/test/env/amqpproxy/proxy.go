package amqpproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Rules say what is done to the frames of a connection. A nil rule lets everything pass.
type Rules struct {
	// Server is given each frame of the broker, and returns what the client gets instead.
	Server func(*Conn, Frame) []Frame
	// Client is given each frame of the client, and returns what the broker gets instead.
	Client func(*Conn, Frame) []Frame
	// Confirm decides, by routing key, what becomes of the broker's confirm of a message.
	Confirm func(exchange, key string) Confirmation
}

// Proxy passes frames on between clients and the broker. Close it after use.
type Proxy struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	rules  Rules
	conns  map[*Conn]bool
	closed bool
}

// Start makes a proxy to the broker of a URL, and returns it with the URL by which to go through it.
func Start(brokerURL string) (*Proxy, string, error) {
	u, err := url.Parse(brokerURL)
	if err != nil {
		return nil, "", fmt.Errorf("read the broker's URL: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen for clients: %w", err)
	}
	p := &Proxy{target: u.Host, listener: listener, conns: make(map[*Conn]bool)}
	p.work.Go(p.accept)
	u.Host = listener.Addr().String()
	return p, u.String(), nil
}

// Set replaces the rules, for the connections that there are, too.
func (p *Proxy) Set(rules Rules) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = rules
}

func (p *Proxy) now() Rules {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rules
}

// Each calls do with every connection.
func (p *Proxy) Each(do func(*Conn)) {
	p.mu.Lock()
	conns := make([]*Conn, 0, len(p.conns))
	for conn := range p.conns {
		conns = append(conns, conn)
	}
	p.mu.Unlock()
	for _, conn := range conns {
		do(conn)
	}
}

// Close ends all connections and waits until nothing of the proxy runs.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Each((*Conn).Cut)
	p.work.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		conn := &Conn{proxy: p, client: client, server: server, published: make(map[uint16]*channelState), closing: make(map[uint16]closing)}
		p.mu.Lock()
		closed := p.closed
		p.conns[conn] = true
		p.mu.Unlock()
		if closed {
			conn.Cut()
		}
		p.work.Go(conn.fromClient)
		p.work.Go(conn.fromServer)
	}
}

func (p *Proxy) forget(conn *Conn) {
	conn.Cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// Conn is one connection through the proxy.
type Conn struct {
	proxy          *Proxy
	client, server net.Conn

	toClient sync.Mutex // of writing

	mu        sync.Mutex
	published map[uint16]*channelState
	closing   map[uint16]closing // channels that the proxy has closed by itself
}

// Cut breaks both sides off.
func (c *Conn) Cut() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// Send sends frames to the client as if the broker had.
func (c *Conn) Send(frames ...Frame) {
	c.toClient.Lock()
	defer c.toClient.Unlock()
	for _, frame := range frames {
		if _, err := c.client.Write(frame.Encode()); err != nil {
			return
		}
	}
}

// SendRaw sends bytes to the client that need not be a frame.
func (c *Conn) SendRaw(content []byte) {
	c.toClient.Lock()
	defer c.toClient.Unlock()
	_, _ = c.client.Write(content) // a client that is gone shows in fromClient
}

func (c *Conn) fromClient() {
	defer c.proxy.forget(c)
	from := bufio.NewReader(c.client)
	greeting := make([]byte, 8)
	if _, err := io.ReadFull(from, greeting); err != nil {
		return
	}
	if _, err := c.server.Write(greeting); err != nil {
		return
	}
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		c.notePublished(frame)
		frames := c.unlessClosing(frame)
		if rule := c.proxy.now().Client; rule != nil && len(frames) > 0 {
			frames = c.unlessClosing(rule(c, frame)...)
		}
		for _, frame := range frames {
			if _, err := c.server.Write(frame.Encode()); err != nil {
				return
			}
		}
	}
}

func (c *Conn) fromServer() {
	defer c.proxy.forget(c)
	from := bufio.NewReader(c.server)
	for {
		frame, err := readFrame(from)
		if err != nil {
			return
		}
		if c.closedAtBroker(frame) {
			continue
		}
		rules := c.proxy.now()
		frames := []Frame{frame}
		if method := frame.Method(); rules.Confirm != nil && (method == BasicAck || method == BasicNack) {
			frames = c.confirmed(frame, rules.Confirm)
		}
		if rules.Server != nil {
			var ruled []Frame
			for _, frame := range frames {
				ruled = append(ruled, rules.Server(c, frame)...)
			}
			frames = ruled
		}
		c.Send(frames...)
	}
}
