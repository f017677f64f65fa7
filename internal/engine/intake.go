package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

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

	reasonMalformedStart = "malformed_start"
	// elsewherePause is about how long a message waits that this replica gives back for another one. It may get it again itself.
	elsewherePause = 250 * time.Millisecond
	// maxKeptBody limits the stored part of a body. The broker connection has the same limit.
	maxKeptBody = 8 << 20
)

// ReceiveReply handles a message from the reply queue. It calls settle once: with true after the commit of what the
// message caused, or of the message as a dead letter; with false to have it redelivered.
func (e *Engine) ReceiveReply(ctx context.Context, message wire.Message, settle func(ok bool)) {
	failpoint.Reach("engine/receiving")
	dead := e.deadLetter(message, sourceReplies)
	r := &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, user: message.UserID, done: e.settling(ctx, settle)}
	reply, err := wire.DecodeReply(message.CorrelationID, message.Body)
	if err != nil {
		explain(dead, record.ReasonMalformedReply, err.Error())
		if id, err := saga.ParseCommandID(message.CorrelationID); err == nil { // the dead letter can name its command
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

// QueuedStart returns a start by SQL as a message, for ReceiveStart.
func QueuedStart(start record.QueuedStart) wire.Message {
	headers := map[string]any{wire.HeaderSagaID: start.SagaID, wire.HeaderStartRequest: start.Number}
	if start.ByMessage {
		headers[wire.HeaderByMessage] = true
	}
	if start.TraceParent != "" {
		headers[wire.HeaderTraceParent] = start.TraceParent
	}
	return wire.Message{
		Queue: record.StartRequests, MessageID: start.IdempotencyKey, UserID: start.Actor, Body: start.Body,
		ContentType: "application/json", Headers: headers,
	}
}

// StartDecoder parses a message from the start queue. Its error names the fault and never repeats the content.
type StartDecoder func(wire.Message) (record.StartRequest, error)

// ReceiveStart handles a message from the start queue and returns after it is settled. It calls settle once: with true
// after the saga, or the message as a dead letter, is stored; with false if ctx ended before. A redelivered message
// leads to the same saga.
func (e *Engine) ReceiveStart(ctx context.Context, message wire.Message, decode StartDecoder, settle func(ok bool)) {
	request, err := decode(message)
	if err != nil {
		e.deadLetterStart(ctx, message, reasonMalformedStart, err, settle)
		return
	}
	request.ComesAgain = true
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
		if errors.Is(err, errCostlyFull) && e.leaveStart(ctx, message, settle) {
			return
		}
		if !e.config.Pause(ctx, backoff) {
			settle(false)
			return
		}
		e.warn("start", "cannot store a start by message, will retry", "error", err)
	}
}

// leaveStart leaves a start that found no room to the starts by SQL: in its queue it would keep the others waiting. It returns false
// if the message must be kept.
func (e *Engine) leaveStart(ctx context.Context, message wire.Message, settle func(ok bool)) bool {
	if message.Queue == record.StartRequests {
		settle(false) // its row is there
		return true
	}
	if e.config.QueueStart == nil {
		return false
	}
	traceParent, _ := message.Headers[wire.HeaderTraceParent].(string)
	err := e.config.QueueStart(ctx, record.QueuedStart{
		SagaID: e.config.NewID(), IdempotencyKey: message.MessageID, Body: bytes.TrimPrefix(message.Body, []byte("\ufeff")),
		Actor: message.UserID, ByMessage: true, TraceParent: traceParent,
	})
	if err != nil {
		e.warn("start", "cannot store a start by message, will retry", "error", err)
		return false
	}
	settle(true)
	return true
}

// deadLetterStart stores a refused start as a dead letter. It keeps the message id as a header, because an operator
// needs it to resend the message.
func (e *Engine) deadLetterStart(ctx context.Context, message wire.Message, reason string, why error, settle func(ok bool)) {
	message.Headers = maps.Clone(message.Headers)
	if message.Headers == nil {
		message.Headers = make(map[string]any)
	}
	message.Headers[wire.HeaderIdempotencyKey] = message.MessageID
	dead := e.deadLetter(message, sourceStart)
	explain(dead, reason, refusalText(why))
	if keyInUse, is := errors.AsType[*record.KeyInUseError](why); is {
		dead.SagaID = keyInUse.SagaID
	}
	if number, is := message.Headers[wire.HeaderStartRequest].(int64); is && message.Queue == record.StartRequests {
		dead.ID = record.StartLetter + strconv.FormatInt(number, 10) // stored once, also if its row is read again
		dead.SagaID, _ = message.Headers[wire.HeaderSagaID].(string)
	}
	if gone, is := errors.AsType[*record.SagaGoneError](why); is {
		dead.SagaID = gone.SagaID
	}
	if err := e.lane(dead.ID).add(ctx, &request{kind: storeDeadLetter, sagaID: dead.ID, dead: dead, done: e.settling(ctx, settle)}); err != nil {
		settle(false)
	}
}

// settling returns a callback that settles the message of a request. Only a message that was not stored is redelivered;
// a fault of its saga, or a missing saga, is final.
func (e *Engine) settling(ctx context.Context, settle func(ok bool)) func(answer) {
	return func(a answer) {
		if a.elsewhere {
			e.warn("elsewhere", "left a message to another replica, which has the key of its saga", "error", record.ErrPayloadKeys)
		}
		if a.elsewhere || errors.Is(a.err, errCostlyFull) {
			go func() { // ends after the pause, or with ctx
				e.config.Pause(ctx, elsewherePause)
				settle(false)
			}()
			return
		}
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

// explain sets the reason of a dead letter. It keeps an earlier message, which describes damage to the content.
func explain(dead *record.DeadLetter, reason, message string) {
	if dead.Message != "" {
		message += " (" + dead.Message + ")"
	}
	dead.Reason, dead.Message = reason, message
}

// deathReason returns why the broker dead-lettered a message: rejected, expired, maxlen or delivery_limit.
func deathReason(message wire.Message) string {
	if reason, found := message.Headers["x-first-death-reason"].(string); found {
		return reason
	}
	return "dead_lettered"
}
