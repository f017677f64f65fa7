package hostile

import (
	"context"
	"net"
	"sync"
)

// Crowd opens so many connections that send nothing, or the beginning of a request, and holds them until ctx ends. One
// that the server closes is opened again.
func Crowd(ctx context.Context, address string, members int) {
	beginnings := []string{"", "GET /v1/sagas HTTP/1.1\r\nX-Slow: ", "POST /v1/sagas HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"}
	var crowd sync.WaitGroup
	for i := range members {
		crowd.Go(func() {
			for ctx.Err() == nil {
				hold(ctx, address, beginnings[i%len(beginnings)])
			}
		})
	}
	crowd.Wait()
}

// hold keeps one connection until the server or ctx ends it.
func hold(ctx context.Context, address, beginning string) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	ended := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer ended()
	defer conn.Close()
	if _, err := conn.Write([]byte(beginning)); err != nil {
		return
	}
	buffer := make([]byte, 512)
	for err == nil {
		_, err = conn.Read(buffer)
	}
}
