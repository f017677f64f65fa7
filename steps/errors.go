package steps

import (
	"errors"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// ErrUnknown is for a handler that cannot tell whether its command took effect, for example because a call to another
// system timed out: return an error that wraps it. Nothing is answered; the command becomes a dead letter, by which the
// orchestrator knows at once that the attempt's outcome is unknown.
var ErrUnknown = errors.New("outcome unknown")

// Error is a handler's word that its command took no effect, and why. Fail and Retry make one.
type Error struct {
	Code      string // for programs; a definition lists such codes as non_retryable
	Message   string // for people
	Retryable bool
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Fail says that a command took no effect and that there is no use in trying again. It may be wrapped.
func Fail(code, message string) error { return &Error{Code: code, Message: message} }

// Retry reports that this attempt took no effect and may be repeated. The step's retry policy (saga.Retry) decides whether
// and when. The error may be wrapped.
func Retry(code, message string) error {
	return &Error{Code: code, Message: message, Retryable: true}
}

// The codes of failures that the worker itself reports.
const (
	CodeError          = "error"               // the handler returned an error that is no *Error; retryable
	CodePanic          = "panic"               // the handler panicked; retryable
	CodeUnknownCommand = "unknown_command"     // no handler has that name; retryable: a newer worker may have it
	CodeInvalidData    = "invalid_data"        // the saga's data does not fit the handler's input; final
	CodeInvalidOutput  = "invalid_output"      // the output cannot be sent, and its effect was rolled back; final
	CodeCompensated    = "compensated_already" // the command came after its compensation; final
)

// failure makes of a handler's error what the reply says.
func failure(err error) *Error {
	if said, ok := errors.AsType[*Error](err); ok {
		return said
	}
	return &Error{Code: CodeError, Message: err.Error(), Retryable: true}
}

// reply is the failure as a message, cut to what the orchestrator accepts.
func (e *Error) reply() wire.Reply {
	code := wire.CleanText(e.Code, wire.MaxErrorCode)
	if code == "" {
		code = CodeError
	}
	return wire.Failed(code, wire.CleanText(e.Message, wire.MaxErrorMessage), e.Retryable)
}
