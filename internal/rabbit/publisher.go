package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// publisher keeps a session up and publishes on it.
type publisher struct {
	link     *link
	topology *topology // nil when there is nothing to declare
	config   Config

	mu      sync.Mutex
	session *session // nil while there is none
	problem error    // why there is none
}

func newPublisher(link *link, topology *topology, config Config) *publisher {
	return &publisher{link: link, topology: topology, config: config, problem: ErrNotConnected}
}

// run opens a session, and opens another whenever it is lost, until ctx ends.
func (p *publisher) run(ctx context.Context) {
	defer p.set(nil, ErrClosed)
	if !p.topology.awaitDeclared(ctx) { // a message for an exchange that does not exist costs the channel
		return
	}
	var wait backoff
	for {
		conn, err := p.link.await(ctx)
		if err != nil {
			return
		}
		reason := p.serve(conn)
		p.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, reason))
		if ctx.Err() == nil {
			p.link.log.Warn("publishing interrupted, will go on", "reason", reason)
		}
		if conn.isGone() { // the link itself waits before it connects again
			wait.reset()
			continue
		}
		p.redeclare() // a message for an exchange that is not there costs the channel alone
		wait.wait(ctx)
	}
}

// serve offers a session until it is lost.
func (p *publisher) serve(conn *connection) error {
	s, err := openSession(conn, p.config.Window)
	if err != nil {
		return err
	}
	p.set(s, nil)
	return s.collect()
}

func (p *publisher) set(s *session, problem error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.session, p.problem = s, problem
}

func (p *publisher) now() (*session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.session, p.problem
}

func (p *publisher) redeclare() {
	if p.topology != nil {
		p.topology.redeclare()
	}
}

// publish sends messages and returns the receipt of each. It returns at once when there is no connection, or when the
// broker does not read: what is written then may be delivered much later.
func (p *publisher) publish(ctx context.Context, messages []outgoing) []wire.Receipt {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	s, problem := p.now()
	if problem == nil {
		if blocked := s.conn.whyBlocked(); blocked != "" {
			problem = errors.New(blocked)
		}
	}
	if problem != nil {
		return refuse(messages, problem)
	}
	receipts := s.publish(ctx, messages)
	for i := range receipts {
		if receipts[i].Outcome == wire.Returned {
			p.redeclare()
			break
		}
	}
	return receipts
}

// refuse gives messages that are not sent their receipts.
func refuse(messages []outgoing, reason error) []wire.Receipt {
	b := newBatch(len(messages))
	b.fail(0, reason)
	return b.receipts
}

// ready returns nil when messages can be published.
func (p *publisher) ready() error {
	if err := p.link.ready(); err != nil {
		return err
	}
	if _, problem := p.now(); problem != nil {
		return fmt.Errorf("publish: %w", problem)
	}
	return nil
}
