package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// DecodeReply decodes the reply to the command with that correlation id. Errors name what is wrong with the message and
// never repeat its content.
//
// A clear verdict counts, whatever else the document holds; the package documentation lists what is cleaned, cut and
// ignored. An output that cannot be merged into the saga's data sets Reply.OutputFault instead of an error: the step
// took effect.
func DecodeReply(correlationID string, content []byte) (saga.Reply, error) {
	id, err := saga.ParseCommandID(correlationID)
	if err != nil {
		return saga.Reply{}, fmt.Errorf("correlation_id: %w", err)
	}
	if len(content) > MaxReplyBytes {
		return saga.Reply{}, fmt.Errorf("body: %d bytes, the limit is %d", len(content), MaxReplyBytes)
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	read, mended, err := readTolerantly(content)
	if err != nil {
		return saga.Reply{}, fmt.Errorf("body: not a reply: %w", err)
	}
	switch {
	case read.status == statusFailed:
		return saga.Reply{Command: id, Error: failureOf(read.failures)}, nil
	case read.status != statusSucceeded:
		return saga.Reply{}, fmt.Errorf("status: want %q or %q", statusSucceeded, statusFailed)
	case len(read.failures) > 0:
		return saga.Reply{}, errors.New("error: not allowed in a reply that succeeded")
	}
	reply := saga.Reply{Command: id, Succeeded: true, Output: read.output}
	if read.output != nil && !read.clean {
		if err := saga.CheckJSON(read.output, saga.DefaultJSONLimits()); err != nil {
			reply.OutputFault = "output: " + err.Error()
			switch {
			case mended && bytes.Contains(read.output, []byte(unusable)):
				reply.OutputFault = "output: NaN or an infinity, which JSON does not have"
			case mended && bytes.Contains(read.output, []byte(unreadable)):
				reply.OutputFault = "output: an escape that JSON does not have"
			}
		}
	}
	if read.output != nil && read.output[0] != '{' {
		reply.OutputFault = "output: want a JSON object"
		if read.output[0] == '"' { // usually the reason why there is none
			reply.OutputFault += ", not a string; the dead letter of the reply has it"
		}
	}
	if read.ambiguous {
		reply.OutputFault = "output: repeated with another value"
	}
	return reply, nil
}

// verdict holds the members of a reply that count. Null counts as absent.
type verdict struct {
	status    string
	output    json.RawMessage
	ambiguous bool // it has several outputs that differ
	failures  []json.RawMessage
	clean     bool // the document is within all limits
}

// readTolerantly reads a document as it is, or else as one with the usual faults of encoders. Escapes that JSON does not have are
// repaired last, so that every document that can be read without that keeps its meaning.
func readTolerantly(content []byte) (read verdict, mended bool, err error) {
	read, err = readVerdict(content)
	if err == nil {
		return read, false, nil
	}
	for _, escapes := range []bool{false, true} {
		again, failed := readVerdict(repaired(content, repair{escapes: escapes}))
		if failed != nil {
			continue
		}
		if again.status == statusFailed { // operators see its texts
			again, failed = readVerdict(repaired(content, repair{escapes: escapes, asText: true}))
		}
		return again, true, failed
	}
	return read, false, err
}

// readVerdict matches member names exactly: encoding/json alone would accept "Status" for "status". Repeated statuses must agree. It notes
// whether repeated outputs do.
func readVerdict(content []byte) (verdict, error) {
	read := verdict{clean: saga.CheckJSON(content, saga.DefaultJSONLimits()) == nil}
	statuses := 0
	err := eachMember(content, read.clean, func(name string, value json.RawMessage) error {
		switch name {
		case "status":
			status, err := statusOf(value)
			if statuses++; err == nil && statuses > 1 && status != read.status {
				err = errors.New("status: repeated with another value")
			}
			read.status = status
			return err
		case "output":
			if value = present(value); value != nil {
				read.ambiguous = read.ambiguous || read.output != nil && !sameText(read.output, value)
				read.output = value
			}
		case "error":
			if value = present(value); value != nil {
				read.failures = append(read.failures, value)
			}
		}
		return nil
	})
	return read, err
}

// sameText reports whether two documents differ in white space at most.
func sameText(one, other json.RawMessage) bool {
	return bytes.Equal(rawjson.AppendCompact(nil, one), rawjson.AppendCompact(nil, other))
}

func statusOf(value json.RawMessage) (status string, err error) {
	if present(value) != nil && json.Unmarshal(value, &status) != nil {
		return "", errors.New("status: want a string")
	}
	return status, nil
}

// eachMember calls visit with each member of a JSON object. It accepts every well-formed document, however deep. A
// clean document has no repeated members and takes the faster path.
func eachMember(document []byte, clean bool, visit func(name string, value json.RawMessage) error) error {
	if !clean {
		return scanMembers(document, visit)
	}
	members, ok := rawjson.Members(document)
	if !ok {
		return errors.New("want a JSON object")
	}
	for _, member := range members {
		if err := visit(member.Name, member.Value); err != nil {
			return err
		}
	}
	return nil
}

// scanMembers reads token by token: json.Unmarshal limits the depth and drops repeated members.
func scanMembers(document []byte, visit func(name string, value json.RawMessage) error) error {
	tokens := json.NewDecoder(bytes.NewReader(document))
	tokens.UseNumber()
	if first, err := tokens.Token(); err != nil || first != json.Delim('{') {
		return errors.New("want a JSON object")
	}
	for tokens.More() {
		name, err := tokens.Token()
		start := tokens.InputOffset()
		if err == nil {
			err = skipValue(tokens)
		}
		if err != nil {
			return notJSON(tokens)
		}
		text, _ := name.(string) // a member's name is a string, or Token fails
		value := bytes.TrimLeft(document[start:tokens.InputOffset()], ": \t\r\n")
		if err := visit(text, value); err != nil {
			return err
		}
	}
	if _, err := tokens.Token(); err != nil {
		return notJSON(tokens)
	}
	if rest := document[tokens.InputOffset():]; len(bytes.Trim(rest, " \t\r\n")) > 0 {
		return fmt.Errorf("data after the JSON document at byte %d", tokens.InputOffset())
	}
	return nil
}

func notJSON(tokens *json.Decoder) error {
	return fmt.Errorf("not valid JSON after byte %d", tokens.InputOffset())
}

// skipValue reads one value, whatever it holds.
func skipValue(tokens *json.Decoder) error {
	for depth := 0; ; {
		token, err := tokens.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
