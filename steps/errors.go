package steps

import (
	"errors"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// ErrUnknown means that the handler cannot know whether its command took effect, for example because a call to another
// system timed out. A handler returns an error that wraps it. The worker then sends no reply and dead-letters the
// command, which tells the orchestrator at once that the outcome is unknown.
var ErrUnknown = errors.New("outcome unknown")

// What is nil and must not be.
var (
	errNoClient     = errors.New("the client is nil")
	errNoTransport  = errors.New("the transport is nil")
	errNoWorker     = errors.New("the worker is nil")
	errNoMiddleware = errors.New("the middleware of WithMiddleware is nil")
	errNoSubscriber = errors.New("the function of the subscription is nil")
	errNoBarrier    = errors.New("the barrier is nil")
)

// Error means that a command took no effect. Fail and Retry create it.
type Error struct {
	Code      string // for programs; a definition may list it as non-retryable (saga.NonRetryable)
	Message   string // for operators
	Retryable bool   // whether the orchestrator may try again
}

// Error returns the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Fail reports that a command took no effect and must not be retried: the step fails finally. The error may be wrapped.
func Fail(code, message string) error { return &Error{Code: code, Message: message} }

// Retry reports that this attempt took no effect and may be repeated. The step's retry policy (saga.Retry) decides whether
// and when. The error may be wrapped.
func Retry(code, message string) error {
	return &Error{Code: code, Message: message, Retryable: true}
}

// Codes of the failures that the worker itself reports.
const (
	CodeError          = "error"               // the handler returned any other error; retryable
	CodePanic          = "panic"               // the handler panicked, or its error did when it was read; retryable
	CodeUnknownCommand = "unknown_command"     // no handler has this name; retryable: a newer worker may have one
	CodeInvalidData    = "invalid_data"        // the saga's data does not fit the handler's input type; final
	CodeInvalidOutput  = "invalid_output"      // the output cannot be sent, and the barrier rolled the effect back; final
	CodeCompensated    = "compensated_already" // the command arrived after its compensation; final
)

// failure returns what the reply reports for a handler's error.
func failure(err error) *Error {
	if said, ok := errors.AsType[*Error](err); ok {
		return said
	}
	return &Error{Code: CodeError, Message: err.Error(), Retryable: true}
}

// reply returns the failure as a reply, cut to the limits of the protocol.
func (e *Error) reply() wire.Reply {
	code := wire.CleanText(e.Code, wire.MaxErrorCode)
	if code == "" {
		code = CodeError
	}
	return wire.Failed(code, wire.CleanText(e.Message, wire.MaxErrorMessage), e.Retryable)
}
