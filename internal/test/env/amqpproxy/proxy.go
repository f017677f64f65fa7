package amqpproxy

import (
	"bufio"
	"io"
	"net"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
)

// Rules change the frames of a connection. A nil rule changes nothing.
type Rules struct {
	// Server returns what the client gets for a frame of the broker.
	Server func(*Conn, Frame) []Frame
	// Client returns what the broker gets for a frame of the client.
	Client func(*Conn, Frame) []Frame
	// Confirm decides, by exchange and routing key, how the client gets the broker's confirm of a message.
	Confirm func(exchange, key string) Confirmation
}

// Proxy forwards frames between clients and the broker. Close it after use.
type Proxy struct {
	proxy.Sessions[*Conn]

	mu    sync.Mutex
	rules Rules
}

// Start starts a proxy to the broker of a URL. It returns the URL that leads through the proxy.
func Start(brokerURL string) (p *Proxy, through string, err error) {
	p = &Proxy{}
	through, err = p.Listen(brokerURL, func(client, server net.Conn) *Conn {
		return &Conn{
			proxy: p, client: client, server: server, published: make(map[uint16]*channelState), closing: make(map[uint16]closing),
		}
	})
	return p, through, err
}

// Set replaces the rules, also for open connections.
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

// Conn is one connection through the proxy.
type Conn struct {
	proxy          *Proxy
	client, server net.Conn

	toClient sync.Mutex // held while writing

	mu        sync.Mutex
	published map[uint16]*channelState
	closing   map[uint16]closing // channels that the proxy itself has closed
}

// Cut closes both sides.
func (c *Conn) Cut() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// Send sends frames to the client in the broker's name.
func (c *Conn) Send(frames ...Frame) {
	c.toClient.Lock()
	defer c.toClient.Unlock()
	for _, frame := range frames {
		if _, err := c.client.Write(frame.Encode()); err != nil {
			return
		}
	}
}

// SendRaw sends any bytes to the client.
func (c *Conn) SendRaw(content []byte) {
	c.toClient.Lock()
	defer c.toClient.Unlock()
	_, _ = c.client.Write(content) // FromClient notices a lost client
}

// FromClient forwards what the client sends, as the rules want it.
func (c *Conn) FromClient() {
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

// FromServer forwards what the broker sends, as the rules want it.
func (c *Conn) FromServer() {
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
