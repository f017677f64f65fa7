package record

import (
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// StartRequest asks for a new saga. The code that makes one from outside input validates it.
type StartRequest struct {
	SagaID         string // of the new saga; empty: the engine picks one
	Definition     string
	Version        int    // 0: the latest
	Key            string // business key: in use by at most one unfinished saga of the definition; empty: none
	IdempotencyKey string // empty: none
	BodyHash       []byte // of the request that the idempotency key stands for
	Data           json.RawMessage
	Priority       uint8
	Labels         map[string]string
	StartAt        time.Time     // zero: now
	Deadline       time.Duration // overrides that of the definition; 0: no override
	TraceParent    string
	Actor          string
	Parent         *saga.Parent // nil: it is not a child
	Unwound        bool         // of a child that its parent no longer wants: it ends at once, compensated
	ComesAgain     bool         // it does not wait for its turn behind costly ones, but fails with ErrCostly and comes again
}
