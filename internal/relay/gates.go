package relay

import (
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	firstPause = time.Second
	maxPause   = 15 * time.Second
	// probeTime is how long a probe may go without a result before the next one is due.
	probeTime = 3 * time.Second
	// openAt is the number of commands that a queue must accept at once to count as healthy. Each probe sends four
	// times as many as the one before.
	openAt = 256
	// idleTime is how long probes may find no command before the gate opens: waiting commands may still be leased.
	idleTime = 10 * time.Second
)

// gates tracks the worker queues that currently refuse commands. A closed gate costs one command per pause, however
// many are waiting, and affects only its own queue.
type gates struct {
	clock func() time.Time

	mu     sync.Mutex
	closed map[string]*gate
}

// gate is a queue that refuses commands.
type gate struct {
	problem   record.QueueProblem
	failures  uint      // consecutive
	probing   bool      // a probe is in progress
	allowed   int       // size of the next probe
	confirmed int       // commands of the current probe that have reached the queue
	idleSince time.Time // since when probes have found no command; zero: the last one found some
}

func newGates(clock func() time.Time) *gates {
	return &gates{clock: clock, closed: make(map[string]*gate)}
}

// problemOf returns the queue problem that an outcome shows; empty: none.
func problemOf(outcome wire.Outcome) record.ProblemKind {
	switch outcome {
	case wire.Returned:
		return record.QueueMissing
	case wire.Nacked:
		return record.QueueRefuses
	case wire.NotConfirmed:
		return record.QueueNotConfirming
	default:
		return ""
	}
}

// closure is a gate that was just closed.
type closure struct {
	problem record.QueueProblem
	times   uint // consecutive
}

// fail closes the gate of a queue. If a probe was in progress, it closes it again for twice as long, or briefly if the
// queue accepted a part of the probe, as a full queue with workers does. news is false for further receipts of commands
// that were already sent.
func (g *gates) fail(queue string, kind record.ProblemKind, reason string) (closed closure, news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	known := g.closed[queue]
	if known == nil {
		known = &gate{problem: record.QueueProblem{Queue: queue, Since: now}, probing: true}
		g.closed[queue] = known
	}
	if !known.probing {
		return closure{}, false
	}
	if known.confirmed > 0 || known.allowed > 1 {
		known.failures = 0
	}
	known.problem.Kind, known.problem.Reason = kind, reason
	known.problem.RetryAt = now.Add(min(firstPause<<min(known.failures, 10), maxPause))
	known.failures++
	known.probing, known.allowed, known.idleSince = false, 1, time.Time{}
	return closure{known.problem, known.failures}, true
}

// confirm records a command that has reached its queue.
func (g *gates) confirm(queue string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := g.closed[queue]; known != nil && known.probing {
		known.confirmed++
	}
}

// isClosed reports whether a queue gets no commands now. If no command is waiting, the next committed one serves as the
// probe.
func (g *gates) isClosed(queue string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.closed[queue]
	return known != nil && known.idleSince.IsZero()
}

// list returns the closed queues, or only those whose probe is due.
func (g *gates) list(due bool) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var queues []string
	for queue, known := range g.closed {
		if !due || !known.problem.RetryAt.After(g.clock()) {
			queues = append(queues, queue)
		}
	}
	slices.Sort(queues)
	return queues
}

// beginProbe returns how many commands a probe of the queue may publish.
func (g *gates) beginProbe(queue string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.closed[queue]
	if known == nil {
		return 0
	}
	known.probing, known.confirmed = true, 0
	known.problem.RetryAt = g.clock().Add(probeTime)
	return known.allowed
}

// endProbe ends a probe that has sent this many commands. again means that all arrived, so that a larger probe may
// follow; opened means that the queue is healthy, or that no command is waiting for it.
func (g *gates) endProbe(queue string, sent int) (again, opened bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.closed[queue]
	switch {
	case known == nil || !known.probing || known.confirmed < sent:
		return false, false // it has failed, or its result comes later
	case sent == 0 && known.idle(g.clock()) < idleTime:
		known.problem.RetryAt = g.clock().Add(firstPause)
		return false, false
	case sent < known.allowed || known.allowed >= openAt:
		delete(g.closed, queue)
		return false, true
	default:
		known.allowed *= 4
		return true, false
	}
}

// idle returns how long probes have found no command.
func (g *gate) idle(now time.Time) time.Duration {
	if g.idleSince.IsZero() {
		g.idleSince = now
	}
	return now.Sub(g.idleSince)
}

// missingFor returns how long a queue has been missing.
func (g *gates) missingFor(problem *record.QueueProblem) time.Duration {
	if problem.Kind != record.QueueMissing {
		return 0
	}
	return g.clock().Sub(problem.Since)
}

// streak counts consecutive failures, so that a lasting cause is not logged each time.
type streak struct {
	mu       sync.Mutex
	failures uint
}

// failed reports whether to log this failure: the first one, and whenever the number has doubled.
func (s *streak) failed() (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	return bits.OnesCount(s.failures) == 1
}

func (s *streak) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = 0
}
