package system

import (
	"bufio"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const gatherBytes = 64 << 10

// gathering is a connection whose writes can be made to leave together, and which reads in big pieces: the client library
// writes every message by itself and reads a few at a time, which costs both sides a third of their work.
type gathering struct {
	net.Conn
	reader *bufio.Reader

	mu       sync.Mutex
	held     bool
	gathered []byte
}

// dialGathering is how the library connects.
func dialGathering(network, address string) (*gathering, error) {
	conn, err := amqp.DefaultDial(5*time.Second)(network, address)
	if err != nil {
		return nil, err
	}
	return &gathering{Conn: conn, reader: bufio.NewReaderSize(conn, gatherBytes)}, nil
}

func (g *gathering) Read(content []byte) (int, error) { return g.reader.Read(content) }

func (g *gathering) Write(content []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gathered = append(g.gathered, content...)
	if g.held && len(g.gathered) < gatherBytes {
		return len(content), nil
	}
	return len(content), g.send()
}

func (g *gathering) send() error {
	content := g.gathered
	g.gathered = g.gathered[:0]
	_, err := g.Conn.Write(content)
	return err
}

// hold lets what is written gather, release lets it leave.
func (g *gathering) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = true
}

func (g *gathering) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = false
	return g.send()
}
