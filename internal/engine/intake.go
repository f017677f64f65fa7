package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Sources of dead letters.
const (
	sourceReplies  = record.SourceReply
	sourceCommands = record.SourceCommand
	sourceStart    = record.SourceStart

	reasonMalformedReply = "malformed_reply"
	reasonMalformedStart = "malformed_start"
	reasonRejected       = "rejected_by_store"
	// maxKeptBody bounds what is kept of a message; the broker's connection keeps no more either.
	maxKeptBody = 8 << 20
)

// ReceiveReply takes in a message from the reply queue. settle is called once: with true when what it says, or the
// message itself as a dead letter, is stored; with false when it should come again.
func (e *Engine) ReceiveReply(ctx context.Context, message wire.Message, settle func(ok bool)) {
	failpoint.Reach("engine/receiving")
	dead := e.deadLetter(message, sourceReplies)
	r := &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, done: e.settling(settle)}
	reply, err := wire.DecodeReply(message.CorrelationID, message.Body)
	if err != nil {
		explain(dead, reasonMalformedReply, err.Error())
		if id, err := saga.ParseCommandID(message.CorrelationID); err == nil { // then it can be told whose answer is bad
			dead.SagaID, dead.CommandID = id.Saga, id.String()
		}
	} else {
		r.kind, r.sagaID, r.cause = applyEvent, reply.Command.Saga, reply
		dead.SagaID, dead.CommandID = reply.Command.Saga, reply.Command.String()
	}
	if err := e.lane(r.sagaID).add(ctx, r); err != nil {
		settle(false)
	}
}

// StartDecoder makes a request of a message from the start queue. Its error says what is wrong with the message and
// never repeats its content.
type StartDecoder func(wire.Message) (record.StartRequest, error)

// ReceiveStart takes in a message from the start queue and returns when it is settled. settle is called once: with true
// when the saga, or the message as a dead letter, is stored; with false when ctx ended before that. The message then
// comes again and leads to the same saga, whether or not it was stored.
func (e *Engine) ReceiveStart(ctx context.Context, message wire.Message, decode StartDecoder, settle func(ok bool)) {
	request, err := decode(message)
	if err != nil {
		e.deadLetterStart(ctx, message, reasonMalformedStart, err, settle)
		return
	}
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		_, _, err := e.Start(ctx, request)
		if err == nil {
			settle(true)
			return
		}
		if reason := startRefusal(err); reason != "" {
			e.deadLetterStart(ctx, message, reason, err, settle)
			return
		}
		if !e.config.Pause(ctx, backoff) {
			settle(false)
			return
		}
		e.warn("start", "a start by message was not stored, trying again", "error", err)
	}
}

// startRefusal is why a start will never be taken however often it is tried, or empty where it may be the next time.
func startRefusal(err error) string {
	_, keyInUse := errors.AsType[*record.KeyInUseError](err)
	switch {
	case errors.Is(err, record.ErrDefinitionNotFound):
		return "definition_not_found"
	case errors.Is(err, record.ErrUnreadable):
		return "unreadable_definition"
	case errors.Is(err, record.ErrIdempotencyConflict):
		return "idempotency_conflict"
	case keyInUse:
		return "key_in_use"
	case errors.Is(err, record.ErrRejected):
		return reasonRejected
	default:
		return ""
	}
}

// putStartAside keeps a start that is refused. The message's id is no header, but what a person needs to send it again.
func (e *Engine) deadLetterStart(ctx context.Context, message wire.Message, reason string, why error, settle func(ok bool)) {
	message.Headers = maps.Clone(message.Headers)
	if message.Headers == nil {
		message.Headers = make(map[string]any)
	}
	message.Headers[wire.HeaderIdempotencyKey] = message.MessageID
	dead := e.deadLetter(message, sourceStart)
	explain(dead, reason, why.Error())
	if keyInUse, is := errors.AsType[*record.KeyInUseError](why); is {
		dead.SagaID = keyInUse.SagaID
	}
	if err := e.lane(dead.ID).add(ctx, &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, done: e.settling(settle)}); err != nil {
		settle(false)
	}
}

// settling makes the end of an item settle its message. A fault of one saga, or a saga that is gone, is no reason to
// have the message again; only what was not stored is.
func (e *Engine) settling(settle func(ok bool)) func(answer) {
	return func(a answer) {
		ok := a.err == nil || isFinal(a.err)
		if a.err != nil && ok {
			e.config.Logger.Debug("a message changed nothing", "error", a.err)
		}
		settle(ok)
	}
}

func isFinal(err error) bool {
	return errors.Is(err, record.ErrSagaNotFound) || errors.Is(err, record.ErrRejected) || errors.Is(err, record.ErrUnreadable)
}

func (e *Engine) deadLetter(message wire.Message, source string) *record.DeadLetter {
	body, damage := message.Body, message.Damage
	if len(body) > maxKeptBody {
		damage = strings.TrimPrefix(fmt.Sprintf("%s; its body of %d bytes is cut to %d", damage, len(body), maxKeptBody), "; ")
		body = body[:maxKeptBody]
	}
	headers := json.RawMessage("{}")
	if len(message.Headers) > 0 {
		if text, err := json.Marshal(message.Headers); err == nil {
			headers = text
		}
	}
	return &record.DeadLetter{
		ID: e.config.NewID(), Source: source, Queue: message.Queue, Headers: headers, Body: body,
		ContentType: message.ContentType, Message: damage,
	}
}

// explain sets why a message is a dead letter, and keeps what was said of it before: that it is not as it was sent.
func explain(dead *record.DeadLetter, reason, message string) {
	if dead.Message != "" {
		message += " (" + dead.Message + ")"
	}
	dead.Reason, dead.Message = reason, message
}

// deathReason is what the broker says of why it gave up: rejected, expired, maxlen or delivery_limit.
func deathReason(message wire.Message) string {
	if reason, found := message.Headers["x-first-death-reason"].(string); found {
		return reason
	}
	return "dead_lettered"
}
