package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// drip is the pause of a slow client after each byte that it sends or reads.
const drip = time.Second

// Slow keeps slow clients at a server until ctx ends: a quarter each send a head byte by byte, send a body byte by byte, read a list
// byte by byte, and watch a saga without reading much. One that the server has closed comes again.
func Slow(ctx context.Context, address, sagaID string, members int) {
	body := `{"definition": "` + strings.Repeat("x", 4000) + `"}`
	manners := []struct {
		quick, slow string // what is sent at once, and then byte by byte
	}{
		{"GET /v1/sagas HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", strings.Repeat("s", 4000)},
		{fmt.Sprintf("POST /v1/sagas HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body)), body},
		{"GET /v1/sagas?limit=500 HTTP/1.1\r\nHost: localhost\r\n\r\n", ""},
		{"GET /v1/sagas/" + sagaID + "/watch HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", ""},
	}
	var clients sync.WaitGroup
	for i := range members {
		clients.Go(func() {
			manner := manners[i%len(manners)]
			for ctx.Err() == nil {
				crawl(ctx, address, manner.quick, manner.slow)
				wait.For(ctx, drip)
			}
		})
	}
	clients.Wait()
}

// crawl is one connection of a slow client.
func crawl(ctx context.Context, address, quick, slow string) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	ended := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer ended()
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(1024) // so that the server notices that it is not read
	}
	if _, err := io.WriteString(conn, quick); err != nil {
		return
	}
	for i := 0; i < len(slow) && wait.For(ctx, drip); i++ {
		if _, err := conn.Write([]byte{slow[i]}); err != nil {
			return
		}
	}
	buffer := make([]byte, 1)
	for wait.For(ctx, drip) {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
