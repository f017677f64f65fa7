package saga_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// noon is the start of every conversation.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// conversation drives one saga as its workers, clock, broker and operator do. Every event goes through decide, so each
// test also checks the promises that hold for all decisions.
type conversation struct {
	t           *testing.T
	def         *saga.Definition
	now         time.Time
	overdue     time.Duration
	is          saga.Instance
	last        saga.Decision
	history     []saga.Entry
	bodies      map[string]string // of every command that was sent, by id
	unpublished map[string]bool
	held        map[string]bool // by settings of their queues
	actions     int
}

// begin starts a saga of the definition; with changes the start.
func begin(t *testing.T, def *saga.Builder, with ...func(*saga.Start)) *conversation {
	t.Helper()
	definition, err := def.Build()
	require.NoError(t, err)
	c := &conversation{t: t, def: definition, now: noon, bodies: map[string]string{}, unpublished: map[string]bool{}, held: map[string]bool{}}
	start := saga.Start{ID: "s", At: noon, Actor: "caller"}
	for _, change := range with {
		change(&start)
	}
	c.overdue = start.OverdueAfter
	decision, err := definition.Start(start)
	require.NoError(t, err)
	require.NoError(t, definition.Check(&decision.Next))
	require.True(t, decision.Changed)
	require.EqualValues(t, 1, decision.Next.Revision)
	c.take(decision)
	return c
}

// hear decides one event at the current time of the conversation.
func (c *conversation) hear(cause saga.Cause) saga.Decision {
	c.t.Helper()
	decision, err := decide(c.def, c.is, saga.Event{At: c.now, OverdueAfter: c.overdue, HeldBack: c.held, Cause: cause})
	require.NoError(c.t, err, "%T %+v\nafter %s", cause, cause, c.recent())
	c.take(decision)
	return decision
}

func (c *conversation) take(decision saga.Decision) {
	c.t.Helper()
	c.is, c.last = decision.Next, decision
	c.history = append(c.history, decision.Entries...)
	for _, command := range decision.Commands {
		body := fmt.Sprintf("%s %s %s", command.Name, command.Data, command.Output)
		_, known := c.bodies[command.ID.String()]
		require.False(c.t, known, "command %s is sent twice", command.ID)
		c.bodies[command.ID.String()] = body
	}
}

// recent returns the last part of the history, for failure messages.
func (c *conversation) recent() string {
	var lines []string
	for _, entry := range c.history[max(0, len(c.history)-50):] {
		lines = append(lines, fmt.Sprintf("%s %s %s %d", entry.At.Format(time.TimeOnly), entry.Type, entry.Step, entry.Attempt))
	}
	return strings.Join(lines, "\n")
}

// out returns the command of the step that is out.
func (c *conversation) out(step string) saga.CommandID {
	c.t.Helper()
	for i := range c.is.Steps {
		if id, is := c.is.CommandOut(i); is && id.Step == step {
			return id
		}
	}
	require.FailNow(c.t, "no command of "+step+" is out", c.recent())
	return saga.CommandID{}
}

func (c *conversation) step(name string) *saga.StepState {
	c.t.Helper()
	for i := range c.is.Steps {
		if c.is.Steps[i].Name == name {
			return &c.is.Steps[i]
		}
	}
	require.FailNow(c.t, "no step "+name)
	return nil
}

// succeed answers the commands of these steps that are out with success.
func (c *conversation) succeed(steps ...string) {
	c.t.Helper()
	for _, step := range steps {
		c.late(c.out(step).String(), succeeded())
		require.True(c.t, c.last.Changed, c.last.Ignored)
	}
}

// answer answers the command of the step that is out.
func (c *conversation) answer(step string, with saga.Reply) {
	c.t.Helper()
	c.late(c.out(step).String(), with)
	require.True(c.t, c.last.Changed, c.last.Ignored)
}

// fail answers with a retryable failure, and refuse with a final one.
func (c *conversation) fail(step string) { c.t.Helper(); c.answer(step, failed("busy", true)) }

func (c *conversation) refuse(step string) { c.t.Helper(); c.answer(step, failed("declined", false)) }

// late delivers an answer to a command, whether it is out or not. The id omits the saga.
func (c *conversation) late(command string, reply saga.Reply) saga.Decision {
	c.t.Helper()
	id, err := saga.ParseCommandID("s/" + strings.TrimPrefix(command, "s/"))
	require.NoError(c.t, err)
	reply.Command = id
	return c.hear(reply)
}

func succeeded(output ...string) saga.Reply {
	if len(output) == 0 {
		return saga.Reply{Succeeded: true}
	}
	return saga.Reply{Succeeded: true, Output: json.RawMessage(output[0])}
}

func failed(code string, retryable bool) saga.Reply {
	return saga.Reply{Error: &saga.ReplyError{Code: code, Message: "the worker says " + code, Retryable: retryable}}
}

// lose dead-letters the command of the step that is out.
func (c *conversation) lose(step string) {
	c.t.Helper()
	c.hear(saga.Lost{Command: c.out(step), Reason: "delivery_limit"})
	require.True(c.t, c.last.Changed, c.last.Ignored)
}

// hold keeps the command that is out in the outbox; publish releases it.
func (c *conversation) hold(step string) { c.t.Helper(); c.unpublished[c.out(step).String()] = true }

// holdBack keeps it in the outbox as settings of its queue do: it was never sent.
func (c *conversation) holdBack(step string) {
	c.t.Helper()
	c.hold(step)
	c.held[c.out(step).String()] = true
}

func (c *conversation) publish(step string) {
	c.t.Helper()
	delete(c.unpublished, c.out(step).String())
	c.hear(saga.Published{Command: c.out(step)})
}

// advance lets time pass and wakes the saga at each WakeAt, as its timers do.
func (c *conversation) advance(by time.Duration) {
	c.t.Helper()
	until := c.now.Add(by)
	for range 1000 {
		if c.is.WakeAt.IsZero() || c.is.WakeAt.After(until) {
			c.now = until
			return
		}
		if c.is.WakeAt.After(c.now) {
			c.now = c.is.WakeAt
		}
		c.wake()
	}
	require.FailNow(c.t, "the saga wakes without end", c.recent())
}

func (c *conversation) wake() saga.Decision {
	c.t.Helper()
	return c.hear(saga.Wake{Unpublished: c.unpublished})
}

// timeOut lets the command of the step that is out time out.
func (c *conversation) timeOut(step string) {
	c.t.Helper()
	c.out(step)
	c.advance(c.step(step).DeadlineAt.Sub(c.now))
}

// retries waits until the next attempt of the step is sent.
func (c *conversation) retries(step string) {
	c.t.Helper()
	at := c.step(step).NextAttemptAt
	require.False(c.t, at.IsZero(), "%s does not wait for another attempt", step)
	c.advance(at.Sub(c.now))
	c.out(step)
}
