package system

import (
	"bufio"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const gatherBytes = 64 << 10

// gathering is a connection that can combine writes and reads in large blocks. The client library writes each message
// separately and reads a few at a time, which takes a third of the CPU time on both sides.
type gathering struct {
	net.Conn
	reader *bufio.Reader

	mu       sync.Mutex
	held     bool
	gathered []byte
}

// dialGathering connects as the client library does by default.
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

// hold buffers writes until release sends them.
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
