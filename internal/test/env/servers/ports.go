package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"syscall"
)

// FreePort returns an unused port of the loopback interface, which is reserved until this process ends. It is below the
// kernel's range for outgoing connections, which could take the port before the server listens.
func FreePort() (int, error) {
	for range 100 {
		port := 15000 + rand.IntN(15000)
		if !reserve(port) {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("find a free port on 127.0.0.1: none of 100 that were tried")
}

// reserve takes a port for this process, among those that ask here: another one could find it free before the server of the
// first listens. Linux has names that need no file and end with the process.
func reserve(port int) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return false
	}
	syscall.CloseOnExec(socket)
	if err := syscall.Bind(socket, &syscall.SockaddrUnix{Name: "@saga-test-port-" + strconv.Itoa(port)}); err != nil {
		_ = syscall.Close(socket)
		return false
	}
	return true // the socket stays open
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
