package record

import (
	"encoding/json"
	"time"
)

// StartRequest asks for a new saga. Its values are checked already: what makes one of what came from outside must.
type StartRequest struct {
	SagaID         string // of the saga, should it be made; empty: the engine picks one
	Definition     string
	Version        int    // 0: the latest
	Key            string // business key: in use by at most one unfinished saga of the definition; empty: none
	IdempotencyKey string // empty: none
	BodyHash       []byte // what the idempotency key stands for
	Data           json.RawMessage
	Priority       uint8
	Labels         map[string]string
	StartAt        time.Time     // zero: at once
	Deadline       time.Duration // before the definition's; 0: the definition's
	TraceParent    string
	Actor          string
}
