package record

import (
	"encoding/json"
	"errors"
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

// ErrIdempotencyConflict says that an idempotency key stands for another request already.
var ErrIdempotencyConflict = errors.New("the idempotency key was used with another body")

// ErrUnavailable says that the engine or the store did not answer in time. Whether what was asked took effect is unknown;
// asking again under the same keys, or looking, is safe.
var ErrUnavailable = errors.New("not available at present")

// KeyInUseError says which unfinished saga of the definition holds the business key.
type KeyInUseError struct{ SagaID string }

// Error names the condition; the saga's id is in the field.
func (e *KeyInUseError) Error() string { return "the key is in use by an unfinished saga" }
