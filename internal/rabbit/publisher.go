package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// probeEvery is how long the broker may confirm nothing before it is probed.
	probeEvery = 2 * time.Second
	// reopening is how long a lost channel may be missing before callers notice.
	reopening = time.Second
)

// publisher keeps a session open and publishes on it.
type publisher struct {
	link     *link
	topology *topology // nil if there is nothing to declare
	config   Config
	names    names
	doubts   chan doubt // refused messages that are sent again on a new channel; has no buffer

	mu      sync.Mutex
	session *session  // nil: none
	problem error     // why there is none, or why the broker accepts no messages
	since   time.Time // of the problem
	changed chan struct{}
}

func newPublisher(link *link, topology *topology, config Config, names names) *publisher {
	return &publisher{
		link: link, topology: topology, config: config, names: names, problem: ErrNotConnected, changed: make(chan struct{}),
		doubts: make(chan doubt),
	}
}

// run opens a session, and another after every loss, until ctx ends.
func (p *publisher) run(ctx context.Context) {
	var doubting sync.WaitGroup
	defer doubting.Wait()
	defer func() { p.set(nil, ErrClosed) }()
	doubting.Go(func() { p.settleDoubts(ctx) })
	if !p.topology.awaitDeclared(ctx) { // a message for a missing exchange closes the channel
		return
	}
	var retry backoff
	for {
		conn, err := p.link.await(ctx)
		if err != nil {
			return
		}
		begun := time.Now()
		reason := p.serve(ctx, conn)
		p.set(nil, fmt.Errorf("%w: %w", ErrNotConnected, reason))
		if time.Since(begun) > settled {
			retry.reset()
		}
		if ctx.Err() == nil && retry.newsworthy() {
			p.link.log.Warn("publishing interrupted, opening a new channel", "reason", reason)
		}
		if conn.isGone() { // the link waits before it reconnects
			retry.reset()
			continue
		}
		p.redeclare() // a message for a missing exchange closes only the channel
		if retry.failures > 0 || !overOneMessage(reason) {
			retry.wait(ctx)
		}
		retry.failures = max(retry.failures, 1)
	}
}

// serve offers a session until it is lost.
func (p *publisher) serve(ctx context.Context, conn *connection) error {
	s, err := openSession(ctx, conn, p.config, p.names)
	if err != nil {
		return err
	}
	p.set(s, nil)
	probing, stop := context.WithCancel(ctx)
	var probes sync.WaitGroup
	if !p.config.WorkerOnly {
		probes.Go(func() { p.probe(probing, s) })
	}
	defer probes.Wait()
	defer stop()
	return s.serve()
}

// probe checks periodically whether a broker that has confirmed nothing for a while still accepts messages.
func (p *publisher) probe(ctx context.Context, s *session) {
	for wait.For(ctx, probeEvery) {
		if time.Since(s.lastConfirm()) < probeEvery {
			p.judge(s, nil)
			continue
		}
		err := s.probe(ctx, p.names.probe(p.config.WorkerOnly))
		if ctx.Err() != nil {
			return
		}
		p.judge(s, err)
	}
}

// judge records the result of a probe of the current session.
func (p *publisher) judge(s *session, problem error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == s {
		p.problem = problem
	}
}

func (p *publisher) set(s *session, problem error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil || problem == nil {
		p.since = time.Now()
	}
	p.session, p.problem = s, problem
	close(p.changed)
	p.changed = make(chan struct{})
}

// await returns the session. If it is being reopened, await waits a moment.
func (p *publisher) await(ctx context.Context) (*session, error) {
	for {
		p.mu.Lock()
		s, problem, left, changed := p.session, p.problem, reopening-time.Since(p.since), p.changed
		p.mu.Unlock()
		if _, away := p.link.now(); s != nil || away != nil || left <= 0 || errors.Is(problem, ErrClosed) {
			return s, problem
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, problem
		}
		timer.Stop()
	}
}

func (p *publisher) redeclare() {
	if p.topology != nil {
		p.topology.redeclare()
	}
}

// publish sends messages and calls settle with the receipt of each, exactly once: before it returns, or afterwards from
// another goroutine if the confirm is late. It sends nothing without a connection, or while the broker does not read:
// such a message could be delivered much later. The writes and the waits for confirms have limits of their own; a context that
// may end gets a limit over all of it.
func (p *publisher) publish(ctx context.Context, messages []outgoing, settle func(int, wire.Receipt)) {
	if ctx.Done() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.config.Timeout)
		defer cancel()
	}
	s, problem := p.await(ctx)
	if s != nil {
		problem = s.blockedError()
	}
	if problem != nil {
		for i := range messages {
			settle(i, unconfirmed(problem))
		}
		return
	}
	settle = p.doubting(s, messages, settle)
	for _, i := range s.publish(ctx, messages, settle) {
		settle(i, p.publishAlone(ctx, messages[i]))
	}
}

// publishAlone sends one message on its own channel: if the broker closes that channel, this message is the cause.
func (p *publisher) publishAlone(ctx context.Context, message outgoing) wire.Receipt {
	if err := message.check(); err != nil {
		return wire.Receipt{Outcome: wire.Refused, Reason: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Confirm)
	defer cancel()
	conn, err := p.link.await(ctx)
	if err != nil {
		return unconfirmed(errNotSent)
	}
	receipt, err := sendAlone(ctx, conn, message)
	if err != nil && overOneMessage(err) {
		return wire.Receipt{Outcome: wire.Refused, Reason: err.Error()}
	}
	if err != nil {
		return unconfirmed(err)
	}
	return receipt
}

// collect publishes and waits until every message has its receipt.
func (p *publisher) collect(ctx context.Context, messages []outgoing) []wire.Receipt {
	receipts := make([]wire.Receipt, len(messages))
	var open sync.WaitGroup
	open.Add(len(messages))
	p.publish(ctx, messages, func(i int, receipt wire.Receipt) {
		receipts[i] = receipt
		open.Done()
	})
	open.Wait() // bounded by Config.Confirm
	return receipts
}

// ready returns nil if messages can be published.
func (p *publisher) ready() error {
	if err := p.link.ready(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.problem != nil && (p.session != nil || time.Since(p.since) > reopening) {
		return fmt.Errorf("publish: %w", p.problem)
	}
	return nil
}
