package pgproxy

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
)

// Fault is an error that the proxy answers in the server's place.
type Fault struct {
	Code  string // SQLSTATE
	Fatal bool   // it ends the session
}

// Proxy forwards messages between clients and the server. Close it after use.
type Proxy struct {
	proxy.Sessions[*session]

	mu     sync.Mutex
	decide func(statements string) *Fault
}

// Start starts a proxy to the server of a URL. It returns the URL that leads through the proxy.
func Start(databaseURL string) (p *Proxy, through string, err error) {
	p = &Proxy{}
	through, err = p.Listen(databaseURL, func(client, server net.Conn) *session {
		return &session{proxy: p, client: client, server: server, status: 'I'}
	})
	return p, through, err
}

// Fail makes decide choose the fault of every round trip, before the server gets it. decide gets the text of the statements
// that the client sends; a statement that was prepared before has no text. Without a fault the round trip passes, as all do
// when decide is nil.
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

// session is the connection of one client.
type session struct {
	proxy          *Proxy
	client, server net.Conn

	mu     sync.Mutex // held while writing to the client
	status byte       // of the transaction, as the server last reported: I, T or E
}

// Cut closes both sides.
func (s *session) Cut() {
	_ = s.client.Close()
	_ = s.server.Close()
}

// FromClient forwards whole round trips: what a client sends up to its Sync, or a simple query.
func (s *session) FromClient() {
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

// startup forwards the first messages, which have no kind.
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

// answer replies to a round trip in the server's place. It reports whether that ends the session.
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
			s.status = 'E' // the client then rolls back, and the server gets that
		}
		out = append(out, message('Z', []byte{s.status})...)
	}
	_, err := s.client.Write(out)
	return err != nil || fault.Fatal
}

// FromServer forwards what the server sends.
func (s *session) FromServer() {
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

// readMessage reads one message. content includes its head.
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
	out := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(content)))
	return append(out, content...)
}
