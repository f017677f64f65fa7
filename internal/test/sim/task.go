package sim

import (
	"context"
	"iter"
	"slices"
	"time"
)

// process can die or freeze with everything it does: a replica, a worker, a client.
type process struct {
	name        string
	dead        bool
	frozenUntil time.Duration
	tasks       []*task
	held        []*delivery // unsettled deliveries
}

// task is one activity of a process. It runs alone until it waits; then others run, and its process may die.
type task struct {
	schedule *schedule
	process  *process
	turn     uint64 // counts its waits
	idle     bool   // it may be woken early
	over     bool
	next     func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
}

// killed unwinds a task whose process died.
type killed struct{}

// spawn starts a task.
func (s *schedule) spawn(p *process, body func()) *task {
	t := &task{schedule: s, process: p}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if cause := recover(); cause != nil && cause != any(killed{}) {
				panic(cause)
			}
		}()
		body()
	})
	p.tasks = append(p.tasks, t)
	s.push(event{at: s.now, process: p, task: t, turn: t.turn})
	return t
}

// resume runs the task until it waits or ends.
func (t *task) resume() {
	t.turn++
	t.idle = false
	if _, waits := t.next(); !waits {
		t.over = true
		at := slices.Index(t.process.tasks, t)
		t.process.tasks = slices.Delete(t.process.tasks, at, at+1)
	}
}

// sleep suspends the current task for a time.
func (s *schedule) sleep(wait time.Duration) {
	t := s.current
	s.push(event{at: s.now + wait, process: t.process, task: t, turn: t.turn})
	t.wait()
}

// rest suspends the current task for a time, or until it is woken.
func (s *schedule) rest(wait time.Duration) {
	s.current.idle = true
	s.sleep(wait)
}

func (t *task) wait() {
	if !t.yield(struct{}{}) {
		panic(killed{})
	}
}

// wake ends the rest of a task.
func (t *task) wake() {
	if t.idle && !t.over {
		t.idle = false
		t.schedule.push(event{at: t.schedule.now, process: t.process, task: t, turn: t.turn})
	}
}

// kill ends a process with all its tasks. Tasks must not call it.
func (s *schedule) kill(p *process) {
	p.dead = true
	for _, t := range p.tasks {
		t.over = true
		s.current = t
		t.stop()
	}
	s.current = nil
	p.tasks = nil
}

// patience is a context that ends at a simulated time.
type patience struct {
	context.Context

	schedule *schedule
	until    time.Duration
}

// patience returns the context of a call.
func (s *schedule) patience() context.Context {
	return patience{Context: context.Background(), schedule: s, until: s.now + callTime}
}

// within returns a context for part of a call.
func (s *schedule) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return patience{Context: ctx, schedule: s, until: s.now + limit}, func() {}
}

// Err implements context.Context.
func (p patience) Err() error {
	if p.schedule.now >= p.until {
		return context.DeadlineExceeded
	}
	return nil
}

// Deadline implements context.Context.
func (p patience) Deadline() (time.Time, bool) { return epoch().Add(p.until), true }
