package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// protect calls a handler and reads its error. A panic becomes an error, also one of the error's own methods, and so does
// runtime.Goexit. run runs the handler on another goroutine, because Goexit ends the goroutine that calls it: the command
// would get no answer and would be delivered again at once.
func protect(run func(func()), log func() *slog.Logger, call func() (json.RawMessage, error)) (output json.RawMessage, err error) {
	done := make(chan struct{})
	run(func() {
		defer close(done)
		returned := false
		defer func() {
			cause := recover()
			if returned {
				return
			}
			if cause == nil {
				cause = "the handler called runtime.Goexit, as t.FailNow does"
			}
			text := textOf(cause)
			output, err = nil, Retry(CodePanic, text)
			log().Error("a handler panicked", "panic", text, "stack", string(debug.Stack()))
		}()
		output, err = call()
		err = understood(err)
		returned = true
	})
	<-done
	return output, err
}

// alone runs a call on a goroutine of its own.
func alone(call func()) { go call() }

// textOf returns the text of a panic, whatever the methods of its value do.
func textOf(cause any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a panic with a %T, whose text cannot be read", cause)
		}
	}()
	return fmt.Sprint(cause)
}

// outcome is what the error of a handler means. It has none of the error's methods, so reading it never panics.
type outcome struct {
	text  string
	means []error
}

func (o *outcome) Error() string   { return o.text }
func (o *outcome) Unwrap() []error { return o.means }

// understood reads the error of a handler. It panics where the methods of the error do, and for a nil *Error, which is an
// error but says nothing.
func understood(err error) error {
	if err == nil {
		return nil
	}
	read := &outcome{}
	if said, found := errors.AsType[*Error](err); found {
		if said == nil {
			panic("the handler returned a nil *steps.Error as its error")
		}
		copied := *said
		read.means = append(read.means, &copied)
	}
	for _, meaning := range []error{ErrUnknown, errOutput} {
		if errors.Is(err, meaning) {
			read.means = append(read.means, meaning)
		}
	}
	read.text = err.Error()
	return read
}

// encode encodes what a handler has left. It returns a panic of the value's methods as an error with the same text as theirs:
// the handler has returned, so it must not count as one that panicked.
func encode(value any) (content []byte, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			content, err = nil, errors.New("its encoding panicked: "+textOf(cause))
		}
	}()
	content, err = saga.EncodeJSON(value)
	if err != nil {
		err = errors.New(err.Error())
	}
	return content, err
}
