package local

import (
	"maps"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Reasons of dead letters, as RabbitMQ names them.
const (
	reasonRejected = "rejected"
	reasonLimit    = "delivery_limit"
)

// bury dead-letters a command. The header says where and why it died, in RabbitMQ's format.
func (b *Broker) bury(workerQueue string, e *entry, reason string) {
	letter := e.message
	letter.Headers = maps.Clone(letter.Headers)
	letter.Headers["x-death"] = []any{map[string]any{
		"queue": letter.Queue, "reason": reason, "count": int64(1), "exchange": commandsSource,
		"routing-keys": []any{workerQueue}, "time": time.Now().UTC().Format(time.RFC3339),
	}}
	letter.Headers["x-first-death-queue"], letter.Headers["x-first-death-reason"] = letter.Queue, reason
	letter.Queue, letter.Redelivered, letter.DiedIn = deadQueue, false, wire.DiedInCommands
	b.dead.push(letter, 0)
}

// settle carries out a worker's answer.
func (b *Broker) settle(workerQueue string, e *entry, answer wire.Answer) {
	switch answer.Settlement {
	case wire.Replied:
		b.replies.push(wire.Message{
			Queue: repliesQueue, MessageID: e.message.CorrelationID, CorrelationID: e.message.CorrelationID,
			ContentType: wire.ContentType, Body: answer.Reply,
		}, 0)
	case wire.Dropped:
	case wire.Rejected:
		b.bury(workerQueue, e, reasonRejected)
	case wire.Requeued:
		if e.deliveries > deliveryLimit {
			b.bury(workerQueue, e, reasonLimit)
			return
		}
		b.worker(workerQueue).putBack(e)
	}
}
