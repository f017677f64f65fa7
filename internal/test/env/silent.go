package env

import (
	"net"
	"sync"
	"testing"
)

// Silent returns the address of a server that accepts connections and never answers. accepted is called at each one.
func Silent(t *testing.T, accepted func()) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for a silent server: %v", err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }() // all stay open until the end
			accepted()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return listener.Addr().String()
}
