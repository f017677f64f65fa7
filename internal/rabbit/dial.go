package rabbit

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Dial returns a function for amqp.Config.Dial, which the library calls without a context. Both the dial and the handshake must be
// over within the limit. The end of ctx closes the connection, whatever waits for it.
func Dial(ctx context.Context, limit time.Duration) func(network, address string) (net.Conn, error) {
	return func(network, address string) (net.Conn, error) {
		dialer := net.Dialer{Timeout: limit}
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		if err := conn.SetDeadline(time.Now().Add(limit)); err != nil { // the library lifts it after the handshake
			_ = conn.Close()
			return nil, fmt.Errorf("set the deadline of the handshake: %w", err)
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		return conn, nil
	}
}
