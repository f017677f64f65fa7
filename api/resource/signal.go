package resource

import (
	"encoding/json"
)

// Signal is the body of `POST /v1/sagas/{id}/signals/{name}`. It may be absent.
type Signal struct {
	Output json.RawMessage `json:"output,omitempty" doc:"Output of the step that waits: a JSON object"`
	Error  *SignalError    `json:"error,omitempty" doc:"Fails the step instead"`
}

// SignalError fails the step that waits for the signal.
type SignalError struct {
	Code    string `json:"code" minLength:"1" maxLength:"128"`
	Message string `json:"message,omitempty" maxLength:"4096"`
}
