package engine

import (
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

// ReceiveDead takes in a message that the broker has dead-lettered. What died in the reply queue is a reply all the same,
// and what died in the start queue a start: a bad day of the orchestrator must not undo what a worker has done. A command
// is kept as a dead letter, and its attempt has failed with an unknown outcome. settle is as for ReceiveReply.
func (e *Engine) ReceiveDead(ctx context.Context, message wire.Message, settle func(ok bool)) {
	switch diedIn(message) {
	case wire.DiedInReplies:
		e.ReceiveReply(ctx, message, settle)
	case wire.DiedInStart:
		e.receiveDeadStart(ctx, message, settle)
	default:
		e.receiveDeadCommand(ctx, message, settle)
	}
}

func (e *Engine) receiveDeadCommand(ctx context.Context, message wire.Message, settle func(ok bool)) {
	dead := e.deadLetter(message, sourceCommands)
	explain(dead, deathReason(message), "the broker gave up on the message")
	r := &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, keepDead: true, done: e.settling(settle)}
	if id, err := saga.ParseCommandID(message.MessageID); err == nil {
		dead.SagaID, dead.CommandID = id.Saga, id.String()
		r.kind, r.sagaID, r.cause = applyEvent, id.Saga, saga.Lost{Command: id, Reason: dead.Reason}
		r.lost = deathOf(message, e.config.Now())
	}
	if err := e.lane(r.sagaID).add(ctx, r); err != nil {
		settle(false)
	}
}

// receiveDeadStart tries a start that died in its queue once more. Its request has an idempotency key, so one that was
// taken before leads to the same saga.
func (e *Engine) receiveDeadStart(ctx context.Context, message wire.Message, settle func(ok bool)) {
	if e.config.DecodeStart == nil {
		dead := e.deadLetter(message, sourceStart)
		explain(dead, deathReason(message), "the broker gave up on the message")
		if err := e.lane(dead.ID).add(ctx, &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, done: e.settling(settle)}); err != nil {
			settle(false)
		}
		return
	}
	go e.ReceiveStart(ctx, message, e.config.DecodeStart, settle) // ends with its item, or with ctx
}

// diedIn is the kind of queue in which a message died first. Where the broker's client does not know it, the headers say
// it, which anybody may have written: they decide only how the message is read, and each reader checks what it reads.
func diedIn(message wire.Message) string {
	if message.DiedIn != "" {
		return message.DiedIn
	}
	queue, _ := message.Headers["x-first-death-queue"].(string)
	if queue == "" {
		queue, _ = firstDeath(message.Headers)["queue"].(string)
	}
	switch {
	case strings.Contains(queue, ".commands."): // a worker queue may itself be called replies
		return wire.DiedInCommands
	case strings.HasSuffix(queue, ".replies"):
		return wire.DiedInReplies
	case strings.HasSuffix(queue, ".start"):
		return wire.DiedInStart
	default:
		return ""
	}
}

// firstDeath is the oldest entry of x-death, which lists the newest first; empty where the header is of another shape.
func firstDeath(headers map[string]any) map[string]any {
	deaths, _ := headers["x-death"].([]any)
	if len(deaths) == 0 {
		return nil
	}
	first, _ := deaths[len(deaths)-1].(map[string]any)
	return first
}

// death is when a command died, and what is known of when it was sent.
type death struct {
	at       time.Time
	sent     time.Time // zero: not known
	deadline time.Time // of its attempt, as it was sent; zero: not known
	limit    bool      // by its delivery limit
}

func deathOf(message wire.Message, now time.Time) *death {
	d := &death{at: now, sent: message.Timestamp, limit: deathReason(message) == reasonDeliveryLimit}
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

// mayStillBeWorkedOn reports whether a worker may be at work on a command that reached its delivery limit. A broker ends the
// channel of a consumer that has not acknowledged for long (30 minutes by default), and delivers again: the command comes
// to its limit while its worker is busy. To count it as lost would turn the saga back meanwhile, so the attempt's own
// deadline decides. A command that crashes its workers comes to the limit within seconds.
func (w *batchState) mayStillBeInProgress(r *request, s *sagaState) bool {
	d := r.lost
	lost, is := r.cause.(saga.Lost)
	if !is || !d.limit {
		return false
	}
	sent := d.sent
	if sent.IsZero() && !d.deadline.IsZero() {
		if _, _, timeout, known := s.def.CommandFor(lost.Command.Step, lost.Command.Direction); known {
			sent = d.deadline.Add(-timeout)
		}
	}
	return !sent.IsZero() && d.at.Sub(sent) > quickDeath
}
