package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// DecodeReply reads an answer to the command with that correlation id. Its errors name what is wrong with the message
// and never repeat its content.
//
// A clear verdict counts, whatever else the document holds: see the package documentation for what is cleaned, cut and
// passed over. An output that cannot be merged into the saga's data makes a Reply with an OutputFault, not an error: the
// step did take effect.
func DecodeReply(correlationID string, content []byte) (saga.Reply, error) {
	id, err := saga.ParseCommandID(correlationID)
	if err != nil {
		return saga.Reply{}, fmt.Errorf("correlation_id: %w", err)
	}
	if len(content) > MaxReplyBytes {
		return saga.Reply{}, fmt.Errorf("body: %d bytes, the limit is %d", len(content), MaxReplyBytes)
	}
	read, err := readVerdict(bytes.TrimPrefix(content, []byte("\ufeff")))
	if err != nil {
		return saga.Reply{}, fmt.Errorf("body: not a reply: %w", err)
	}
	switch {
	case read.status == statusFailed:
		return saga.Reply{Command: id, Error: failureOf(read.failure)}, nil
	case read.status != statusSucceeded:
		return saga.Reply{}, fmt.Errorf("status: want %q or %q", statusSucceeded, statusFailed)
	case read.failure != nil:
		return saga.Reply{}, errors.New("error: a reply that succeeded has none")
	}
	reply := saga.Reply{Command: id, Succeeded: true, Output: read.output}
	if read.output != nil && !read.clean {
		if err := saga.CheckJSON(read.output, saga.DefaultJSONLimits()); err != nil {
			reply.OutputFault = "output: " + err.Error()
		}
	}
	if read.output != nil && read.output[0] != '{' {
		reply.OutputFault = "output: want a JSON object"
	}
	return reply, nil
}

// verdict is the members of a reply that count. Null counts as absent.
type verdict struct {
	status  string
	output  json.RawMessage
	failure json.RawMessage
	clean   bool // the document is within all limits
}

// readVerdict reads the members by their exact names: encoding/json alone would take "Status" for "status", which
// another reader of the same message would not. Of a member that is repeated the last one counts, as for most readers;
// a repeated status must always be the same.
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
			read.output = present(value)
		case "error":
			read.failure = present(value)
		}
		return nil
	})
	return read, err
}

func statusOf(value json.RawMessage) (status string, err error) {
	if present(value) != nil && json.Unmarshal(value, &status) != nil {
		return "", errors.New("status: want a string")
	}
	return status, nil
}

// eachMember calls visit with each member of a JSON object. It takes every well-formed document, however deep. A clean
// one has no repeated members and can be read faster.
func eachMember(document []byte, clean bool, visit func(name string, value json.RawMessage) error) error {
	if !clean {
		return scanMembers(document, visit)
	}
	var found map[string]json.RawMessage
	if err := json.Unmarshal(document, &found); err != nil || found == nil {
		return errors.New("want a JSON object")
	}
	for name, value := range found {
		if err := visit(name, value); err != nil {
			return err
		}
	}
	return nil
}

// scanMembers reads token by token: json.Unmarshal has a limit on depth and drops repeated members.
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
		text, _ := name.(string) // the name of a member is a string, or Token fails
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

// failureOf reads the error of a reply that failed. An error that is not an object counts as its message.
func failureOf(failure json.RawMessage) *saga.ReplyError {
	said := &saga.ReplyError{Code: defaultFailedCode, Retryable: true}
	if failure == nil {
		return said
	}
	if failure[0] != '{' {
		said.Message = CleanText(plainText(failure), MaxErrorMessage)
		return said
	}
	// The document that holds it was well-formed, and visit never fails.
	_ = scanMembers(failure, func(name string, value json.RawMessage) error {
		switch name {
		case "code":
			said.Code = CleanText(plainText(value), MaxErrorCode)
		case "message":
			said.Message = CleanText(plainText(value), MaxErrorMessage)
		case "retryable":
			said.Retryable = string(value) != "false"
		}
		return nil
	})
	if said.Code == "" {
		said.Code = defaultFailedCode
	}
	return said
}

// plainText is a string's content, and the JSON text of every other value but null.
func plainText(value json.RawMessage) string {
	var text string
	if present(value) == nil || json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// CleanText returns a text with what databases cannot store replaced, and cut to the limit on a rune boundary.
func CleanText(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
