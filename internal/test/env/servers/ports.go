package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort returns an unused port of the loopback interface. It is below the kernel's range for outgoing connections,
// which could take the port before the server listens.
func FreePort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(15000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("find a free port on 127.0.0.1: none of 100 that were tried")
}

// freePorts returns several free ports.
func freePorts(n int) ([]int, error) {
	seen := map[int]bool{}
	var ports []int
	for len(ports) < n {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		if !seen[port] {
			seen[port] = true
			ports = append(ports, port)
		}
	}
	return ports, nil
}
