package workercheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	definition = "worker-check"
	step       = "check"
	maxShown   = 120 // bytes of an output in a report
	timeLimit  = 30 * time.Second
)

// answer is what came back for one command.
type answer struct {
	came     bool
	delivery amqp.Delivery
	reply    saga.Reply
	fault    error // the reply is invalid
	problem  error // the command could not be sent
}

func (a *answer) succeeded() bool {
	return a.came && a.fault == nil && a.reply.Succeeded && a.reply.OutputFault == ""
}
func (a *answer) failed() bool { return a.came && a.fault == nil && a.reply.Error != nil }
func (a *answer) valid() bool  { return a.succeeded() || a.failed() }

// same reports whether two replies say the same. Members of an output may have another order.
func (a *answer) same(b *answer) bool {
	if a.failed() && b.failed() {
		return *a.reply.Error == *b.reply.Error
	}
	return a.succeeded() && b.succeeded() && equalJSON(a.reply.Output, b.reply.Output)
}

func equalJSON(a, b json.RawMessage) bool {
	return bytes.Equal(canonical(a), canonical(b))
}

// canonical returns a document with its members in order; no document is an empty object.
func canonical(content json.RawMessage) []byte {
	var value any
	if len(content) == 0 {
		return []byte("{}")
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return content
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return content
	}
	return encoded
}

// String describes an answer in a report.
func (a *answer) String() string {
	switch {
	case a.problem != nil:
		return a.problem.Error()
	case !a.came:
		return "no reply"
	case a.fault != nil:
		return "an invalid reply: " + a.fault.Error()
	case a.reply.OutputFault != "":
		return "an invalid reply: " + a.reply.OutputFault
	case a.reply.Succeeded && len(a.reply.Output) == 0:
		return "succeeded without an output"
	case a.reply.Succeeded:
		return "succeeded with the output " + cut(string(a.reply.Output))
	default:
		retryable := "not retryable"
		if a.reply.Error.Retryable {
			retryable = "retryable"
		}
		return fmt.Sprintf("failed with the code %s, %s", cut(a.reply.Error.Code), retryable)
	}
}

func cut(text string) string {
	if len(text) > maxShown {
		return wire.CleanText(text, maxShown) + "…"
	}
	return text
}

// ask sends a command and waits for its next reply.
func (c *conversation) ask(ctx context.Context, m wire.Message) *answer {
	before := len(c.got[m.CorrelationID])
	if err := c.send(ctx, m); err != nil {
		return &answer{problem: err}
	}
	c.await(ctx, c.Timeout, func() bool { return len(c.got[m.CorrelationID]) > before })
	return c.answerTo(m, before)
}

// answerTo returns the reply of a number, from 0.
func (c *conversation) answerTo(m wire.Message, number int) *answer {
	got := c.got[m.CorrelationID]
	if number >= len(got) {
		return &answer{}
	}
	return readAnswer(m, got[number])
}

func readAnswer(m wire.Message, d amqp.Delivery) *answer {
	a := &answer{came: true, delivery: d}
	a.reply, a.fault = wire.DecodeReply(m.CorrelationID, d.Body)
	return a
}

// execute returns the message of an attempt.
func (c *conversation) execute(id string, attempt int) wire.Message {
	return c.message(saga.CommandID{Saga: id, Step: step, Direction: saga.Execute, Round: 1, Attempt: attempt}, c.Command, nil)
}

// compensate returns the message of a compensation. output is what the step returned; nil: nothing, or that is unknown.
func (c *conversation) compensate(id string, output json.RawMessage) wire.Message {
	return c.message(saga.CommandID{Saga: id, Step: step, Direction: saga.Compensate, Round: 1, Attempt: 1}, c.Compensation, output)
}

func (c *conversation) message(id saga.CommandID, name string, output json.RawMessage) wire.Message {
	now := time.Now()
	command := wire.Command{
		ID: id, Definition: definition, Version: 1, Name: name, Queue: c.Queue, Timeout: max(timeLimit, c.Timeout), CreatedAt: now,
		Body: body(c.Data, output),
	}
	return command.Message(c.replyTo, now)
}

func body(data, output json.RawMessage) []byte {
	content := append([]byte(`{"data":`), data...)
	if output != nil {
		content = append(append(content, `,"output":`...), output...)
	}
	return append(content, '}')
}
