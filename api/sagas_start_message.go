package api

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// byMessage is the actor of a start by message. The message's user-id, which the broker validates, follows it if present.
const byMessage = "amqp"

// bySQL is the actor of a start by SQL. The role of the session follows it.
const bySQL = "sql"

// DecodeStartMessage decodes a message that starts a saga. Its body is the body of a start by REST. Its message_id is the
// idempotency key; it is required, because otherwise a redelivery would start a second saga. A start by SQL names its saga
// instead. An error is a *resource.Problem that repeats nothing of the message.
func DecodeStartMessage(message wire.Message, now time.Time) (record.StartRequest, error) {
	if message.Queue == record.StartRequests {
		return decodeStartRequest(message, now)
	}
	// A dead letter has the replacement character in place of what was no text: one start could not be told from another.
	if message.MessageID == "" || !printable(message.MessageID, maxIdempotencyKey) || strings.ContainsRune(message.MessageID, utf8.RuneError) {
		return record.StartRequest{}, parameter("message_id", "must be 1 to 255 printable characters: it is the idempotency key")
	}
	request, err := DecodeStart(bytes.TrimPrefix(message.Body, []byte("\ufeff")), now)
	if err != nil {
		return record.StartRequest{}, err
	}
	request.IdempotencyKey = message.MessageID
	request.Actor = startedBy(byMessage, message)
	if given, is := message.Headers[wire.HeaderTraceParent].(string); is {
		request.TraceParent = traceParent(given)
	}
	return request, nil
}

// decodeStartRequest decodes a start by SQL. Its idempotency key is optional.
func decodeStartRequest(message wire.Message, now time.Time) (record.StartRequest, error) {
	given, _ := message.Headers[wire.HeaderSagaID].(string)
	id, err := sagaID(given)
	if err != nil {
		return record.StartRequest{}, parameter("saga_id", "must be a ULID")
	}
	if !printable(message.MessageID, maxIdempotencyKey) {
		return record.StartRequest{}, parameter("idempotency_key", "must be at most 255 printable characters")
	}
	request, err := DecodeStart(message.Body, now)
	if err != nil {
		return record.StartRequest{}, err
	}
	way := bySQL
	if message.Headers[wire.HeaderByMessage] == true {
		way = byMessage
	}
	request.SagaID, request.IdempotencyKey, request.Actor = id, message.MessageID, startedBy(way, message)
	if given, is := message.Headers[wire.HeaderTraceParent].(string); is {
		request.TraceParent = traceParent(given)
	}
	return request, nil
}

// startedBy returns the actor of a start: the way it came, and the user where that can be shown.
func startedBy(way string, message wire.Message) string {
	if message.UserID != "" && printable(message.UserID, maxIdempotencyKey) {
		return way + ":" + message.UserID
	}
	return way
}
