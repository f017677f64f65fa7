package api

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// byMessage is the actor of a start by message. The message's user-id, which the broker validates, follows it if present.
const byMessage = "amqp"

// DecodeStartMessage decodes a message that starts a saga. Its body is the body of a start by REST. Its message_id is the
// idempotency key; it is required, because otherwise a redelivery would start a second saga. An error is a
// *resource.Problem that repeats nothing of the message.
func DecodeStartMessage(message wire.Message, now time.Time) (record.StartRequest, error) {
	if message.MessageID == "" || !printable(message.MessageID, maxIdempotencyKey) {
		return record.StartRequest{}, parameter("message_id", "must be 1 to 255 printable characters: it is the idempotency key")
	}
	request, err := DecodeStart(message.Body, now)
	if err != nil {
		return record.StartRequest{}, err
	}
	request.IdempotencyKey = message.MessageID
	request.Actor = byMessage
	if message.UserID != "" && printable(message.UserID, maxIdempotencyKey) {
		request.Actor += ":" + message.UserID
	}
	if given, is := message.Headers[wire.HeaderTraceParent].(string); is {
		request.TraceParent = traceParent(given)
	}
	return request, nil
}
