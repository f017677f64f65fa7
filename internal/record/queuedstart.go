package record

// StartRequests is the table from which starts by SQL come, and the Queue of their dead letters. The names of the broker's
// queues have a dot, so it is none of them.
const StartRequests = "start_requests"

// QueuedStart is a saga that a transaction has asked for with saga_start. Its row stays until the saga, or a dead letter,
// is stored.
type QueuedStart struct {
	Number         int64  // of the row
	SagaID         string // that saga_start has returned, unless the idempotency key had a saga
	IdempotencyKey string // empty: none
	Body           []byte // that of a start by REST
	Actor          string // role of the session, or user of the broker
	ByMessage      bool   // it came by message, and waits here for its turn
	TraceParent    string // empty: none
}
