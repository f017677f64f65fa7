package pgproxy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
)

// Fault is an error in the server's place.
type Fault struct {
	Code  string // SQLSTATE
	Fatal bool   // the server ends the session with it
}

// Proxy passes messages on between clients and the server. Close it after use.
type Proxy struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	decide func(statements string) *Fault
	conns  map[*session]bool
	closed bool
}

// Start makes a proxy to the server of a URL, and returns it with the URL by which to go through it.
func Start(databaseURL string) (*Proxy, string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, "", fmt.Errorf("read the database URL: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen for clients: %w", err)
	}
	p := &Proxy{target: u.Host, listener: listener, conns: make(map[*session]bool)}
	p.work.Go(p.accept)
	u.Host = listener.Addr().String()
	return p, u.String(), nil
}

// Fail has every round trip of a client decided upon before the server gets it: by the text of its statements, as far as
// it is sent along; a statement that was prepared before is empty. nil lets everything pass.
func (p *Proxy) Fail(decide func(statements string) *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decide = decide
}

func (p *Proxy) fault(statements string) *Fault {
	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()
	if decide == nil {
		return nil
	}
	return decide(statements)
}

// Close ends all connections and waits until nothing of the proxy runs.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for s := range p.conns {
		s.cut()
	}
	p.mu.Unlock()
	p.work.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		s := &session{proxy: p, client: client, server: server, status: 'I'}
		p.mu.Lock()
		if p.closed {
			s.cut()
		}
		p.conns[s] = true
		p.mu.Unlock()
		p.work.Go(s.fromClient)
		p.work.Go(s.fromServer)
	}
}

func (p *Proxy) forget(s *session) {
	s.cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, s)
}

// session is one client's.
type session struct {
	proxy          *Proxy
	client, server net.Conn

	mu     sync.Mutex // of writing to the client
	status byte       // of the transaction, as the server said last: I, T or E
}

func (s *session) cut() {
	_ = s.client.Close()
	_ = s.server.Close()
}

// fromClient passes round trips on, each as a whole: what a client sends up to its Sync, or a simple query.
func (s *session) fromClient() {
	defer s.proxy.forget(s)
	from := bufio.NewReader(s.client)
	if err := s.startup(from); err != nil {
		return
	}
	var trip []byte
	var statements string
	for {
		kind, content, err := readMessage(from)
		if err != nil {
			return
		}
		trip = append(trip, content...)
		if kind == 'Q' || kind == 'P' {
			statements += string(content[5:]) + ";"
		}
		if kind != 'Q' && kind != 'S' && kind != 'p' && kind != 'X' && kind != 'H' {
			continue
		}
		if kind == 'Q' || kind == 'S' {
			if fault := s.proxy.fault(statements); fault != nil && s.answer(fault) {
				return
			} else if fault != nil {
				trip, statements = nil, ""
				continue
			}
		}
		if _, err := s.server.Write(trip); err != nil {
			return
		}
		trip, statements = nil, ""
	}
}

// startup passes the first messages on, which have no kind.
func (s *session) startup(from *bufio.Reader) error {
	for {
		head, err := from.Peek(8)
		if err != nil {
			return err
		}
		content := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(from, content); err != nil {
			return err
		}
		const askForTLS, askForGSS = 80877103, 80877104
		if code := binary.BigEndian.Uint32(head[4:]); code == askForTLS || code == askForGSS {
			if _, err := s.client.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		}
		_, err = s.server.Write(content)
		return err
	}
}

// answer answers a round trip in the server's place, and reports whether the session has ended with it.
func (s *session) answer(fault *Fault) (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	severity := "ERROR"
	if fault.Fatal {
		severity = "FATAL"
	}
	fields := "S" + severity + "\x00V" + severity + "\x00C" + fault.Code + "\x00Mfrom a proxy\x00\x00"
	out := message('E', []byte(fields))
	if !fault.Fatal {
		if s.status == 'T' {
			s.status = 'E' // and the client rolls back, which the server gets
		}
		out = append(out, message('Z', []byte{s.status})...)
	}
	_, err := s.client.Write(out)
	return err != nil || fault.Fatal
}

func (s *session) fromServer() {
	defer s.proxy.forget(s)
	from := bufio.NewReader(s.server)
	for {
		kind, content, err := readMessage(from)
		if err != nil {
			return
		}
		s.mu.Lock()
		if kind == 'Z' && len(content) == 6 {
			s.status = content[5]
		}
		_, err = s.client.Write(content)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// readMessage reads one message, and returns it as a whole.
func readMessage(from *bufio.Reader) (kind byte, content []byte, err error) {
	head, err := from.Peek(5)
	if err != nil {
		return 0, nil, err
	}
	content = make([]byte, 1+binary.BigEndian.Uint32(head[1:]))
	kind = head[0]
	_, err = io.ReadFull(from, content)
	return kind, content, err
}

func message(kind byte, content []byte) []byte {
	out := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(content))) //nolint:gosec // a few bytes
	return append(out, content...)
}
