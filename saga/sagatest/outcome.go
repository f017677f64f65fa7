package sagatest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Outcome is what comes of one attempt of a command.
type Outcome struct {
	of    func(t *Test, command *wire.Command) wire.Answer
	after time.Duration
}

// Succeed is a success with an output, which is encoded to a JSON object. nil: no output.
func Succeed(output any) Outcome {
	return Outcome{of: func(t *Test, _ *wire.Command) wire.Answer {
		t.t.Helper()
		var content json.RawMessage
		if output != nil {
			content = t.object("the output", output)
		}
		return t.reply(wire.Succeeded(content))
	}}
}

// Fail is a final failure: the command took no effect and is not tried again.
func Fail(code, message string) Outcome { return failure(code, message, false) }

// Retry is a failure after which the retry policy of the step decides: the command took no effect.
func Retry(code, message string) Outcome { return failure(code, message, true) }

func failure(code, message string, retryable bool) Outcome {
	return Outcome{of: func(t *Test, _ *wire.Command) wire.Answer {
		t.t.Helper()
		return t.reply(wire.Failed(code, message, retryable))
	}}
}

// Unknown is the outcome of a worker that cannot know whether its command took effect, as with steps.ErrUnknown.
func Unknown() Outcome {
	return Outcome{of: func(*Test, *wire.Command) wire.Answer { return wire.Answer{Settlement: wire.Rejected} }}
}

// NoReply is a command whose reply never comes: it times out after its timeout. The function of the step is not called.
func NoReply() Outcome {
	return Outcome{of: func(*Test, *wire.Command) wire.Answer { return wire.Answer{Settlement: wire.Dropped} }}
}

// LoseReply calls the function, and then loses its reply: the worker took effect, and the orchestrator does not know.
func LoseReply() Outcome {
	return Outcome{of: func(t *Test, command *wire.Command) wire.Answer {
		t.t.Helper()
		_ = t.call(command)
		return wire.Answer{Settlement: wire.Dropped}
	}}
}

// After is an outcome whose reply comes later, perhaps after the timeout of its attempt or after the end of the saga. The
// function is called at once.
func After(wait time.Duration, outcome Outcome) Outcome {
	outcome.after += wait
	return outcome
}

// Call is what the function of the step, or the handler of a worker, returns. A step without one succeeds without an output.
// It is the outcome of every attempt that has no other.
func Call() Outcome {
	return Outcome{of: func(t *Test, command *wire.Command) wire.Answer {
		t.t.Helper()
		return t.call(command)
	}}
}

func (t *Test) reply(reply wire.Reply) wire.Answer {
	t.t.Helper()
	content, err := reply.Encode()
	if err != nil {
		t.t.Fatalf("sagatest: %v", err)
	}
	return wire.Answer{Settlement: wire.Replied, Reply: content}
}

// target is what a script is for.
type target struct {
	definition, step string
	direction        saga.Direction
}

// script has the outcomes of the next attempts. The last one stays.
type script struct{ outcomes []Outcome }

// Execute sets the outcomes of the step's attempts from now on: the first is that of the next attempt, the last is that of
// all attempts after those before it. In tests of several definitions a step is <definition>/<step>.
func (t *Test) Execute(step string, outcomes ...Outcome) {
	t.t.Helper()
	t.script(step, saga.Execute, outcomes)
}

// Compensate sets the outcomes of the attempts to compensate the step, like Execute.
func (t *Test) Compensate(step string, outcomes ...Outcome) {
	t.t.Helper()
	t.script(step, saga.Compensate, outcomes)
}

func (t *Test) script(name string, direction saga.Direction, outcomes []Outcome) {
	t.t.Helper()
	definition, step, found := strings.Cut(name, "/")
	if !found {
		definition, step = t.first.Name, name
	}
	of := t.known[definition]
	if of == nil {
		t.t.Fatalf("sagatest: %s: the test has no definition %s", name, definition)
	}
	command, _, _, known := of.CommandFor(step, direction)
	switch {
	case !known:
		t.t.Fatalf("sagatest: definition %s has no step %s", definition, step)
	case command == "" && direction == saga.Compensate:
		t.t.Fatalf("sagatest: step %s sends no command to compensate it", step)
	case command == "":
		t.t.Fatalf("sagatest: step %s sends no command, it waits", step)
	case len(outcomes) == 0:
		t.t.Fatalf("sagatest: step %s: want at least one outcome", step)
	}
	t.scripts[target{definition, step, direction}] = &script{outcomes}
}

// outcome returns the outcome of the next attempt.
func (t *Test) outcome(command *wire.Command) Outcome {
	s := t.scripts[target{command.Definition, command.ID.Step, command.ID.Direction}]
	if s == nil {
		return Call()
	}
	next := s.outcomes[0]
	if len(s.outcomes) > 1 {
		s.outcomes = s.outcomes[1:]
	}
	return next
}
