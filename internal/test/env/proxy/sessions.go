package proxy

import (
	"fmt"
	"net"
	"net/url"
	"sync"
)

// Session is one client's connection through a proxy that reads the protocol. Both methods pump one direction until a
// connection ends.
type Session interface {
	comparable
	FromClient()
	FromServer()
	Cut() // closes both connections
}

// Sessions accepts clients, dials the server for each and runs the sessions. Close it after Listen.
type Sessions[S Session] struct {
	// Work holds the goroutines that Close waits for.
	Work sync.WaitGroup

	listener net.Listener
	target   string
	open     func(client, server net.Conn) S

	mu     sync.Mutex
	all    map[S]bool
	closed bool
}

// Listen starts a proxy to the server of a URL. It returns the URL that leads through the proxy.
func (s *Sessions[S]) Listen(serverURL string, open func(client, server net.Conn) S) (through string, err error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return "", fmt.Errorf("read the server's URL: %w", err)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return "", fmt.Errorf("listen for clients: %w", err)
	}
	s.target, s.open, s.all = u.Host, open, make(map[S]bool)
	s.Work.Go(s.accept)
	u.Host = s.listener.Addr().String()
	return u.String(), nil
}

func (s *Sessions[S]) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", s.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		one := s.open(client, server)
		s.mu.Lock()
		s.all[one] = true
		closed := s.closed
		s.mu.Unlock()
		if closed {
			one.Cut()
		}
		for _, pump := range []func(){one.FromClient, one.FromServer} {
			s.Work.Go(func() {
				defer s.forget(one)
				pump()
			})
		}
	}
}

func (s *Sessions[S]) forget(one S) {
	one.Cut()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, one)
}

// Each calls do with every session.
func (s *Sessions[S]) Each(do func(S)) {
	s.mu.Lock()
	sessions := make([]S, 0, len(s.all))
	for one := range s.all {
		sessions = append(sessions, one)
	}
	s.mu.Unlock()
	for _, one := range sessions {
		do(one)
	}
}

// Close ends all sessions and waits for their goroutines.
func (s *Sessions[S]) Close() {
	_ = s.listener.Close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Each(S.Cut)
	s.Work.Wait()
}
