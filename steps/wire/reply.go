package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Limits of a reply, which is third-party input.
const (
	MaxReplyBytes     = 256 << 10
	MaxErrorCode      = 128
	MaxErrorMessage   = 4096
	statusSucceeded   = "succeeded"
	statusFailed      = "failed"
	defaultFailedCode = "failed"
)

// Reply is the body of a worker's answer.
type Reply struct {
	Status string          `json:"status"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  *ReplyError     `json:"error,omitempty"`
}

// ReplyError is why an attempt failed. Retryable is true where absent.
type ReplyError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable *bool  `json:"retryable,omitempty"`
}

// Succeeded is the reply of a worker that did what the command asked; output is a JSON object or nil.
func Succeeded(output json.RawMessage) Reply { return Reply{Status: statusSucceeded, Output: output} }

// Failed is the reply of a worker that did not, and says that nothing took effect.
func Failed(code, message string, retryable bool) Reply {
	return Reply{Status: statusFailed, Error: &ReplyError{Code: code, Message: message, Retryable: &retryable}}
}

// Encode is the reply's message body.
func (r Reply) Encode() ([]byte, error) {
	content, err := encode(r)
	if err != nil {
		return nil, fmt.Errorf("encode reply: %w", err)
	}
	return content, nil
}

// DecodeReply reads an answer to the command with that correlation id. Its errors say what is wrong with the message
// and never repeat its content.
func DecodeReply(correlationID string, content []byte) (saga.Reply, error) {
	id, err := saga.ParseCommandID(correlationID)
	if err != nil {
		return saga.Reply{}, fmt.Errorf("correlation_id: %w", err)
	}
	if len(content) > MaxReplyBytes {
		return saga.Reply{}, fmt.Errorf("body: %d bytes, the limit is %d", len(content), MaxReplyBytes)
	}
	if err := saga.CheckJSON(content, saga.DefaultJSONLimits()); err != nil {
		return saga.Reply{}, fmt.Errorf("body: %w", err)
	}
	read, err := readReply(content)
	if err != nil {
		return saga.Reply{}, fmt.Errorf("body: not a reply: %w", err)
	}
	switch read.Status {
	case statusSucceeded:
		return decodeSuccess(id, read)
	case statusFailed:
		return decodeFailure(id, read)
	default:
		return saga.Reply{}, fmt.Errorf("status: want %q or %q", statusSucceeded, statusFailed)
	}
}

// readReply reads the members by their exact names: encoding/json alone would take "Status" for "status" and, where both
// are there, the last, which another reader of the same message would not.
func readReply(content []byte) (Reply, error) {
	var read Reply
	var failure json.RawMessage
	err := members(content, map[string]any{"status": &read.Status, "output": &read.Output, "error": &failure})
	if err != nil || present(failure) == nil {
		return read, err
	}
	read.Error = &ReplyError{}
	err = members(failure, map[string]any{
		"code": &read.Error.Code, "message": &read.Error.Message, "retryable": &read.Error.Retryable,
	})
	return read, err
}

// members reads an object's members of these names; null counts as absent, and what has another name is passed over.
func members(object json.RawMessage, into map[string]any) error {
	var found map[string]json.RawMessage
	if err := json.Unmarshal(object, &found); err != nil || found == nil {
		return errors.New("want a JSON object")
	}
	for name, value := range into {
		if raw := present(found[name]); raw != nil && json.Unmarshal(raw, value) != nil {
			return errors.New(name + " has the wrong type")
		}
	}
	return nil
}

func decodeSuccess(id saga.CommandID, read Reply) (saga.Reply, error) {
	if read.Error != nil {
		return saga.Reply{}, fmt.Errorf("error: a reply that succeeded has none")
	}
	if read.Output != nil && read.Output[0] != '{' {
		return saga.Reply{}, fmt.Errorf("output: want a JSON object")
	}
	return saga.Reply{Command: id, Succeeded: true, Output: read.Output}, nil
}

func decodeFailure(id saga.CommandID, read Reply) (saga.Reply, error) {
	said := ReplyError{}
	if read.Error != nil {
		said = *read.Error
	}
	if said.Code == "" {
		said.Code = defaultFailedCode
	}
	if len(said.Code) > MaxErrorCode {
		return saga.Reply{}, fmt.Errorf("error.code: %d bytes, the limit is %d", len(said.Code), MaxErrorCode)
	}
	if len(said.Message) > MaxErrorMessage {
		return saga.Reply{}, fmt.Errorf("error.message: %d bytes, the limit is %d", len(said.Message), MaxErrorMessage)
	}
	retryable := said.Retryable == nil || *said.Retryable
	failure := &saga.ReplyError{Code: said.Code, Message: said.Message, Retryable: retryable}
	return saga.Reply{Command: id, Error: failure}, nil
}
