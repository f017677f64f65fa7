package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// maskBody masks the members of a message that hold data. It shows those of the protocol that hold none, and hides all others:
// the sender chooses what a message holds.
func maskBody(letter *record.DeadLetter, p protection) []byte {
	body := letter.Body
	command, _ := saga.ParseCommandID(letter.CommandID) // without one there is no step
	var members map[string]json.RawMessage
	if saga.CheckJSON(body, saga.DefaultJSONLimits()) != nil || json.Unmarshal(body, &members) != nil || members == nil {
		return []byte(saga.Masked)
	}
	for name, value := range members {
		switch {
		case name == "data" && letter.Source == record.SourceCommand:
			members[name] = p.input(command.Step, value)
		case name == "data":
			members[name] = p.mask(value)
		case name == "output":
			members[name] = p.output(command.Step, value)
		case name == "error":
			members[name] = maskError(value, p)
		case !ofProtocol(letter.Source, command, name, value):
			members[name] = hiddenValue()
		}
	}
	masked, err := saga.EncodeJSON(members)
	if err != nil {
		return []byte(saga.Masked)
	}
	return masked
}

func hiddenValue() json.RawMessage { return json.RawMessage(`"` + saga.Masked + `"`) }

// ofProtocol reports whether a member belongs to messages of that source, and has a value that the protocol allows there. A name
// alone proves nothing.
func ofProtocol(source string, command saga.CommandID, name string, value json.RawMessage) bool {
	switch source {
	case record.SourceReply:
		var status string
		return name == "status" && json.Unmarshal(value, &status) == nil &&
			(status == wire.Succeeded(nil).Status || status == wire.Failed("", "", false).Status)
	case record.SourceCommand:
		return name == "waited" && json.Unmarshal(value, new(bool)) == nil ||
			name == "compensates" && isExecutionOf(command, value)
	case record.SourceStart:
		return isStartMember(name, value)
	default:
		return false
	}
}

// isExecutionOf reports whether value is the idempotency key of an execution of the command's step.
func isExecutionOf(command saga.CommandID, value json.RawMessage) bool {
	var key string
	if json.Unmarshal(value, &key) != nil {
		return false
	}
	executed, err := saga.ParseCommandID(key + "/1")
	return err == nil && executed.Saga == command.Saga && executed.Step == command.Step
}

// isStartMember reports whether a start may have the member, with a value of that type, and the member is not data.
func isStartMember(name string, value json.RawMessage) bool {
	switch name {
	case "definition", "version", "key", "priority", "labels", "start_at", "deadline":
		member, err := saga.EncodeJSON(map[string]json.RawMessage{name: value})
		return err == nil && json.Unmarshal(member, new(resource.StartSaga)) == nil
	default:
		return false
	}
}

// maskHeaders masks the value of each header that is not of the protocol. Other headers come from the sender, and may repeat data.
func maskHeaders(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return text
	}
	var headers map[string]json.RawMessage
	if json.Unmarshal(text, &headers) != nil {
		return json.RawMessage("{}")
	}
	for name, value := range headers {
		if !protocolHeader(name) || !isScalar(value) {
			headers[name] = hiddenValue()
		}
	}
	masked, err := saga.EncodeJSON(headers)
	if err != nil {
		return json.RawMessage("{}")
	}
	return masked
}

// protocolHeader reports whether the orchestrator, the SDK or the broker sets a header. x-death is not among them: it holds routing
// keys, which the sender chooses.
func protocolHeader(name string) bool {
	return strings.HasPrefix(name, "saga-") || slices.Contains([]string{
		wire.HeaderTraceParent, "tracestate", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange",
		"x-last-death-queue", "x-last-death-reason", "x-last-death-exchange",
	}, name)
}

// isScalar reports whether a header is not a table or a list, in which a sender could hide anything.
func isScalar(value json.RawMessage) bool { return value[0] != '{' && value[0] != '[' }

func maskError(value json.RawMessage, p protection) json.RawMessage {
	var given struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Retryable *bool  `json:"retryable,omitempty"`
	}
	if json.Unmarshal(value, &given) != nil {
		return hiddenValue()
	}
	given.Message = p.redact(given.Message)
	masked, err := saga.EncodeJSON(given)
	if err != nil {
		return hiddenValue()
	}
	return masked
}
