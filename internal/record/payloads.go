package record

import (
	"errors"
	"time"
)

// ErrPayloadKeys means that payloads in the database are sealed with a key that this process lacks.
var ErrPayloadKeys = errors.New("payloads in the database are encrypted with a key that this server does not have")

// PayloadKeyError reports the key that a saga's payloads are sealed with and that this process lacks. It wraps ErrPayloadKeys.
type PayloadKeyError struct{ Key string }

// Error names the key.
func (e *PayloadKeyError) Error() string { return ErrPayloadKeys.Error() + ": " + e.Key }

// Unwrap returns ErrPayloadKeys.
func (e *PayloadKeyError) Unwrap() error { return ErrPayloadKeys }

// PayloadKeyLease is how long after its last use a key counts as used by a replica.
const PayloadKeyLease = 2 * time.Minute

// PayloadStatus is how far the stored payloads are sealed with the current key.
type PayloadStatus struct {
	Current   string   // id of the key of this process; none: clear; empty: it has no keys
	Others    []string // ids of other keys that stored payloads may have
	Missing   []string // those of Others that this process lacks
	Waiting   bool     // another replica seals with another key still
	Remaining int64    // blocks of tables that are not read yet; 0: done
	Failed    int64    // rows of the last pass that could not be opened
	Done      bool
}
