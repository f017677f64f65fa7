package rabbit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// claimEvery is how often the prefix's marker is checked.
const claimEvery = 2 * time.Second

// redeclarePause limits how often a broker that keeps losing queues is asked.
const redeclarePause = 500 * time.Millisecond

// topology makes exchanges and queues exist. It uses a connection that does not publish, which the broker never blocks.
type topology struct {
	link   *link
	config Config
	names  names
	asked  wait.Signal   // fires when something was found missing
	turn   chan struct{} // a semaphore: has a value while declaring
	// reported is the last logged error; only run uses it.
	reported string

	mu       sync.Mutex
	queues   []string      // worker queues that must exist
	problem  error         // why the orchestrator's own declarations are missing
	yielded  chan struct{} // closed when the prefix belongs to another installation; replaced afterwards
	regained chan struct{} // closed while it does not
	complete bool
	// mismatched are the names of what exists with other properties.
	mismatched []string
	refused    map[string]error // why the broker did not declare something, by name such as "queue saga.commands.mail"
	declared   chan struct{}    // closed once everything was declared
	ended      chan struct{}    // closed once run has ended
}

func newTopology(link *link, config Config) *topology {
	return &topology{
		link: link, config: config, names: names{config.Prefix},
		asked: wait.NewSignal(), turn: make(chan struct{}, 1),
		problem: errors.New("exchanges and queues are not declared yet"), declared: make(chan struct{}),
		refused: make(map[string]error), ended: make(chan struct{}), yielded: make(chan struct{}), regained: closedChannel(),
	}
}

func closedChannel() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// run declares everything with every new connection, and when something is missing, until ctx ends.
func (t *topology) run(ctx context.Context) {
	defer close(t.ended)
	var retry backoff
	for {
		conn, err := t.link.await(ctx)
		if err != nil {
			return
		}
		mismatch, fault := t.declareAll(ctx, conn)
		lost := fault != nil && conn.isGone() // the link reports that
		if err := errors.Join(mismatch, fault); err != nil && !lost && ctx.Err() == nil && t.newsworthy(err, &retry) {
			t.link.log.Error("exchanges and queues are not as they should be", "error", err)
		}
		if fault != nil { // retrying does not cure a mismatch
			retry.wait(ctx)
			continue
		}
		retry.reset()
		wait.For(ctx, redeclarePause)
		if !t.hold(ctx, conn) {
			return
		}
	}
}

// hold checks the prefix's marker periodically until something must be declared. It returns false when ctx ends. A
// deleted marker is written again, before another installation claims the prefix.
func (t *topology) hold(ctx context.Context, conn *connection) bool {
	look := time.NewTicker(claimEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if err := t.claim(conn); err != nil {
				t.note(err)
				return ctx.Err() == nil
			}
		case <-t.asked.C():
			return true
		case <-conn.gone:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// newsworthy reports whether to log a problem: a new one, or the same when its failures have doubled.
func (t *topology) newsworthy(err error, retry *backoff) bool {
	known := t.reported == err.Error()
	t.reported = err.Error()
	return !known || retry.failures > 0 && retry.newsworthy()
}

// redeclare makes run declare everything again soon.
func (t *topology) redeclare() {
	t.asked.Notify()
}

// declareAll declares what the orchestrator needs and then the worker queues.
func (t *topology) declareAll(ctx context.Context, conn *connection) (mismatch, fault error) {
	t.mu.Lock()
	queues := slices.Clone(t.queues)
	t.mu.Unlock()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if fault = t.claim(conn); fault == nil {
		mismatch, fault = declareEach(conn, t.ownDeclarations())
	}
	t.note(fault)
	if errors.Is(fault, ErrForeign) {
		return nil, fault
	}
	ofWorkers, faultOfWorkers := declareEach(conn, t.workerDeclarations(queues, conn.version()))
	mismatch, fault = errors.Join(mismatch, ofWorkers), errors.Join(fault, faultOfWorkers)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mismatched, t.refused = Mismatches(mismatch), make(map[string]error)
	t.noteRefusals(fault)
	return mismatch, fault
}

// noteRefusals records why the broker did not declare things. The caller holds mu.
func (t *topology) noteRefusals(fault error) {
	for _, one := range errorsIn(fault) {
		if _, known := t.refused[one.name]; one.name != "" && !known {
			t.refused[one.name] = one.error
		}
	}
}

// note records the result of the orchestrator's own declarations. A mismatch is logged and used as it is: not
// publishing would be worse.
func (t *topology) note(fault error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.yield(errors.Is(fault, ErrForeign))
	t.problem = fault
	if fault == nil && !t.complete {
		t.complete = true
		close(t.declared)
	}
}

// add remembers worker queues and declares them now, if possible.
func (t *topology) add(ctx context.Context, queues []string) error {
	queues = slices.DeleteFunc(slices.Clone(queues), func(queue string) bool {
		return len(t.names.worker(queue)) > maxShort // no queue has such a name, and the library would end the connection over it
	})
	t.mu.Lock()
	for _, queue := range queues {
		if !slices.Contains(t.queues, queue) {
			t.queues = append(t.queues, queue)
		}
	}
	t.mu.Unlock()
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return fmt.Errorf("declare queues: %w", ctx.Err())
	}
	conn, err := t.link.now()
	if err == nil {
		err = t.foreign()
	}
	if err != nil {
		return fmt.Errorf("declare queues: %w", err)
	}
	// This includes the exchange: the first definition may come before the first declaration.
	mismatch, fault := declareEach(conn, append(t.exchanges(), t.workerDeclarations(queues, conn.version())...))
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range Mismatches(mismatch) {
		if !slices.Contains(t.mismatched, name) {
			t.mismatched = append(t.mismatched, name)
		}
	}
	for _, queue := range queues {
		delete(t.refused, "queue "+t.names.worker(queue))
	}
	t.noteRefusals(fault)
	return errors.Join(mismatch, fault)
}

// awaitDeclared waits until the orchestrator's own needs were declared. It returns false if ctx or the topology ends
// first. Without a topology it returns at once.
func (t *topology) awaitDeclared(ctx context.Context) bool {
	if t == nil {
		return true
	}
	select {
	case <-t.declared:
		return true
	case <-t.ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// ready returns nil once the orchestrator's own needs were declared. What the broker said before its connection was lost says nothing any more.
func (t *topology) ready() error {
	_, away := t.link.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.problem != nil && away != nil {
		return fmt.Errorf("%s: %w", t.link.name, away)
	}
	return t.problem
}
