package engine

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	reasonDeliveryLimit = "delivery_limit"
	// quickDeath is the age up to which a command that reached its delivery limit counts as lost at once.
	quickDeath = 20 * time.Second
)

// ReceiveDead handles a message that the broker dead-lettered. Replies and starts are handled as if they had arrived
// normally: an outage of the orchestrator must not lose the work of a worker. A command becomes a dead letter, and its
// attempt fails with an unknown outcome, unless its queue was full and has refused it. settle is as for ReceiveReply.
func (e *Engine) ReceiveDead(ctx context.Context, message wire.Message, settle func(ok bool)) {
	switch diedIn(message) {
	case wire.DiedInReplies:
		message.Queue = cmp.Or(firstQueue(message), message.Queue)
		e.ReceiveReply(ctx, message, settle)
	case wire.DiedInStart:
		message.Queue = cmp.Or(firstQueue(message), message.Queue)
		e.receiveDeadStart(ctx, message, settle)
	default:
		e.receiveDeadCommand(ctx, message, settle)
	}
}

func (e *Engine) receiveDeadCommand(ctx context.Context, message wire.Message, settle func(ok bool)) {
	dead := e.deadLetter(message, sourceCommands)
	explain(dead, deathReason(message), "the broker dead-lettered the message")
	_, worker, named := strings.Cut(firstQueue(message), ".commands.")
	if named {
		dead.Queue = worker // where it was going, as definitions name it
	}
	r := &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, keepDead: true, done: e.settling(ctx, settle)}
	if id, err := saga.ParseCommandID(message.MessageID); err == nil {
		dead.SagaID, dead.CommandID = id.Saga, id.String()
		r.kind, r.sagaID, r.cause = applyEvent, id.Saga, saga.Lost{Command: id, Reason: dead.Reason}
		r.lost = deathOf(message, e.config.Now())
		r.lost.queueUnknown = !named
		e.lookTwice(ctx, r, settle)
	}
	if err := e.lane(r.sagaID).add(ctx, r); err != nil {
		settle(false)
	}
}

// receiveDeadStart retries a start that died in its queue. Its idempotency key leads to the same saga if it was stored
// before.
func (e *Engine) receiveDeadStart(ctx context.Context, message wire.Message, settle func(ok bool)) {
	if e.config.DecodeStart == nil {
		dead := e.deadLetter(message, sourceStart)
		explain(dead, deathReason(message), "the broker dead-lettered the message")
		if err := e.lane(dead.ID).add(ctx, &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, done: e.settling(ctx, settle)}); err != nil {
			settle(false)
		}
		return
	}
	go e.ReceiveStart(ctx, message, e.config.DecodeStart, settle) // ends after the start is stored, or with ctx
}

// diedIn returns the kind of queue in which a message died first. If the client of the broker does not know it, headers
// decide, which any sender can forge. That is safe: they only select the reader, and each reader validates its input.
func diedIn(message wire.Message) string {
	if message.DiedIn != "" {
		return message.DiedIn
	}
	switch queue := firstQueue(message); {
	case strings.Contains(queue, ".commands."): // first, because a worker queue may be called "replies"
		return wire.DiedInCommands
	case strings.HasSuffix(queue, ".replies"):
		return wire.DiedInReplies
	case strings.HasSuffix(queue, ".start"):
		return wire.DiedInStart
	default:
		return ""
	}
}

// firstQueue returns the name on the broker of the queue in which a message died first; "" if its headers do not have it.
func firstQueue(message wire.Message) string {
	queue, _ := message.Headers["x-first-death-queue"].(string)
	if queue == "" {
		queue, _ = firstDeath(message.Headers)["queue"].(string)
	}
	return queue
}

// firstDeath returns the oldest entry of x-death, which lists the newest first, or nil.
func firstDeath(headers map[string]any) map[string]any {
	deaths, _ := headers["x-death"].([]any)
	if len(deaths) == 0 {
		return nil
	}
	first, _ := deaths[len(deaths)-1].(map[string]any)
	return first
}

// death is when a command died and when it was sent.
type death struct {
	at       time.Time
	sent     time.Time // zero: unknown
	deadline time.Time // of the attempt, from the message; zero: unknown
	limit    bool      // it reached its delivery limit
	overflow bool      // its queue was full
	// queueUnknown: its headers do not name the worker queue, as when a worker publishes a dead letter itself; the definition does.
	queueUnknown bool
}

// decidedLater reports whether the dead letter is not complete, or not wanted, before the saga is known.
func (d *death) decidedLater() bool { return d != nil && (d.overflow || d.queueUnknown) }

func deathOf(message wire.Message, now time.Time) *death {
	reason := deathReason(message)
	d := &death{at: now, sent: message.Timestamp, limit: reason == reasonDeliveryLimit, overflow: reason == reasonOverflow}
	if at, is := firstDeath(message.Headers)["time"].(time.Time); is {
		d.at = at
	}
	if text, is := message.Headers[wire.HeaderDeadline].(string); is {
		if deadline, err := time.Parse(time.RFC3339Nano, text); err == nil {
			d.deadline = deadline
		}
	}
	return d
}

// mayStillBeInProgress reports whether a worker may still handle a command that reached its delivery limit. The broker
// closes the channel of a consumer that does not acknowledge for long (30 minutes by default) and redelivers, so the
// command reaches its limit while its worker is busy. Then the deadline of the attempt decides. A command that crashes
// its workers reaches the limit within seconds.
func (b *batchState) mayStillBeInProgress(r *request, s *sagaState) bool {
	d := r.lost
	lost, is := r.cause.(saga.Lost)
	if !is || !d.limit {
		return false
	}
	sent := d.sent
	if sent.IsZero() && !d.deadline.IsZero() && s.def != nil {
		if _, _, timeout, known := s.def.CommandFor(lost.Command.Step, lost.Command.Direction); known {
			sent = d.deadline.Add(-timeout)
		}
	}
	return !sent.IsZero() && d.at.Sub(sent) > quickDeath
}

// keepLate adds the dead letter of a command that had to wait for the saga; nil: it does not exist.
func (b *batchState) keepLate(r *request, s *sagaState) {
	if !r.lost.decidedLater() {
		return
	}
	dead := *r.dead
	if lost, is := r.cause.(saga.Lost); is && r.lost.queueUnknown && s != nil && s.def != nil {
		_, queue, _, _ := s.def.CommandFor(lost.Command.Step, lost.Command.Direction)
		dead.Queue = cmp.Or(queue, dead.Queue)
	}
	b.deadLetters = append(b.deadLetters, dead)
}
