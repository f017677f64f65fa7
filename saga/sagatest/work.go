package sagatest

import (
	"context"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	repliesQueue = "saga.replies"
	deadQueue    = "saga.dead"
	// maxTurns is the number of turns of work at one time after which a test cannot end.
	maxTurns = 100_000
)

// outbox holds the commands of committed decisions until the test delivers them.
type outbox struct {
	commands  []wire.Command
	delivered []saga.CommandID
}

// Hold implements engine.Outbox: no queue is paused.
func (*outbox) Hold([]wire.Command) {}

// Dispatch implements engine.Outbox.
func (o *outbox) Dispatch(commands []wire.Command) { o.commands = append(o.commands, commands...) }

// Await implements engine.Outbox.
func (*outbox) Await(context.Context) {}

// TakeConfirmed implements engine.Outbox.
func (o *outbox) TakeConfirmed(least, most int) []saga.CommandID {
	if len(o.delivered) < least {
		return nil
	}
	taken := slices.Clone(o.delivered[:min(most, len(o.delivered))])
	o.delivered = o.delivered[len(taken):]
	return taken
}

// ReturnConfirmed implements engine.Outbox.
func (o *outbox) ReturnConfirmed(ids []saga.CommandID) { o.delivered = append(o.delivered, ids...) }

// await implements engine.Environment.Await: the caller does the engine's work until it has its answer.
func (t *Test) await(ctx context.Context, answered <-chan struct{}) bool {
	for {
		select {
		case <-answered:
			return true
		default:
		}
		if !t.decide(ctx) {
			return false
		}
	}
}

// decide decides a batch of each lane, and reports whether there was one.
func (t *Test) decide(ctx context.Context) (decided bool) {
	for lane := range t.engine.Lanes() {
		decided = t.engine.DecideBatch(ctx, lane) || decided
	}
	return decided
}

// work decides events and delivers commands until only time, a signal or an operator can move a saga.
func (t *Test) work() {
	t.t.Helper()
	for range maxTurns {
		decided := t.decide(t.ctx)
		commands := t.outbox.commands
		t.outbox.commands = nil
		for i := range commands {
			t.deliver(&commands[i])
		}
		if !decided && len(commands) == 0 {
			t.engine.ForgetConfirmed(t.ctx)
			return
		}
	}
	t.t.Fatalf("sagatest: the sagas do not come to rest at %s", t.now)
}

// deliver gives a command to its worker, or to the script, and the reply to the engine.
func (t *Test) deliver(command *wire.Command) {
	t.t.Helper()
	t.outbox.delivered = append(t.outbox.delivered, command.ID)
	if command.Queue == wire.BetweenSagas {
		if err := t.engine.Deliver(t.ctx, command); err != nil {
			t.t.Fatalf("sagatest: %v", err)
		}
		return
	}
	outcome := t.outcome(command)
	if receive := t.receiver(command, outcome.of(t, command)); outcome.after > 0 && receive != nil {
		t.late = append(t.late, lateReply{t.now.Add(outcome.after), receive})
	} else if receive != nil {
		receive()
	}
}

// receiver returns what gives the answer of a worker to the engine; nil: there is no reply, so the attempt times out.
func (t *Test) receiver(command *wire.Command, answer wire.Answer) func() {
	settle := func(bool) {}
	switch answer.Settlement {
	case wire.Replied:
		reply := wire.Message{Queue: repliesQueue, CorrelationID: command.ID.String(), ContentType: wire.ContentType, Body: answer.Reply}
		return func() { t.engine.ReceiveReply(t.ctx, reply, settle) }
	case wire.Rejected:
		dead := command.Message(repliesQueue, t.now)
		dead.Queue, dead.DiedIn = deadQueue, wire.DiedInCommands
		return func() { t.engine.ReceiveDead(t.ctx, dead, settle) }
	default:
		return nil
	}
}

// lateReply is a reply that comes later.
type lateReply struct {
	at      time.Time
	receive func()
}

// nextLate returns the position of the late reply that comes next; -1: there is none.
func (t *Test) nextLate() int {
	next := -1
	for i := range t.late {
		if next < 0 || t.late[i].at.Before(t.late[next].at) {
			next = i
		}
	}
	return next
}
