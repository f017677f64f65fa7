package wire

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// failureOf decodes the error of a failed reply. A reply that repeats it has no clear one: codes that differ count as absent, and the
// step is retried unless all of them forbid that. The last message counts.
func failureOf(failures []json.RawMessage) *saga.ReplyError {
	said := &saga.ReplyError{Code: defaultFailedCode, Retryable: true}
	for i, failure := range failures {
		before := said
		said = errorOf(failure)
		if i == 0 {
			continue
		}
		if said.Retryable = said.Retryable || before.Retryable; said.Code != before.Code {
			said.Code = defaultFailedCode
		}
	}
	return said
}

// errorOf decodes one error. One that is not an object counts as its message.
func errorOf(failure json.RawMessage) *saga.ReplyError {
	said := &saga.ReplyError{Code: defaultFailedCode, Retryable: true}
	if failure[0] != '{' {
		said.Message = CleanText(plainText(failure), MaxErrorMessage)
		return said
	}
	// The enclosing document was well-formed, and visit never fails.
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

// plainText returns a string's content, and the JSON text of any other value but null.
func plainText(value json.RawMessage) string {
	var text string
	if present(value) == nil || json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// CleanText replaces what databases cannot store, and cuts the text to the limit on a rune boundary.
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
