package hostile

import (
	"context"
	"net"
	"sync"
)

// Crowd holds connections open until ctx ends. They send nothing, or only the beginning of a request. Crowd reopens a
// connection that the server closes.
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

// hold holds one connection until the server closes it or ctx ends.
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
