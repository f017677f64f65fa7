package wire

import (
	"encoding/json"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// Limits of a reply. A longer body is refused; a longer code or message is cut.
const (
	MaxReplyBytes     = 256 << 10
	MaxErrorCode      = 128
	MaxErrorMessage   = 4096
	statusSucceeded   = "succeeded"
	statusFailed      = "failed"
	defaultFailedCode = "failed"
)

// Reply is the body of a reply.
type Reply struct {
	Status string          `json:"status"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  *ReplyError     `json:"error,omitempty"`
}

// ReplyError explains why an attempt failed. Retryable is true if absent.
type ReplyError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable *bool  `json:"retryable,omitempty"`
}

// Succeeded returns the reply of a command that took effect. output is a JSON object or nil.
func Succeeded(output json.RawMessage) Reply { return Reply{Status: statusSucceeded, Output: output} }

// SucceededWithout returns the reply of a command that took effect, but whose output cannot be sent. The reason takes the
// place of the output, so the orchestrator refuses it as invalid_output and keeps the reply for operators.
func SucceededWithout(reason string) Reply {
	return Succeeded(rawjson.AppendString(nil, CleanText(reason, MaxErrorMessage)))
}

// Failed returns the reply of a command that took no effect.
func Failed(code, message string, retryable bool) Reply {
	return Reply{Status: statusFailed, Error: &ReplyError{Code: code, Message: message, Retryable: &retryable}}
}

// Encode returns the reply's message body.
func (r Reply) Encode() ([]byte, error) {
	if r.Error == nil && rawjson.Valid(r.Output) { // an output may be large: it is copied as it is
		text := rawjson.AppendString([]byte(`{"status":`), r.Status)
		return append(rawjson.AppendCompact(append(text, `,"output":`...), r.Output), '}'), nil
	}
	content, err := saga.EncodeJSON(r)
	if err != nil {
		return nil, fmt.Errorf("encode reply: %w", err)
	}
	return content, nil
}
