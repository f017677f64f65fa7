package saga_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// act applies an operator's action, which must be accepted.
func (c *conversation) act(name saga.ActionName, with ...func(*saga.Action)) saga.Decision {
	c.t.Helper()
	decision := c.ask(name, with...)
	require.Nil(c.t, decision.Refused, "%s is refused", name)
	require.True(c.t, decision.Changed)
	return decision
}

// ask applies an operator's action, which may be refused.
func (c *conversation) ask(name saga.ActionName, with ...func(*saga.Action)) saga.Decision {
	c.t.Helper()
	c.actions++
	action := saga.Action{ID: fmt.Sprintf("action-%d", c.actions), Name: name, Reason: "because", Actor: "ann"}
	for _, change := range with {
		change(&action)
	}
	return c.hear(action)
}

// expectRefused applies an operator's action, which must be refused with that code.
func (c *conversation) expectRefused(code string, name saga.ActionName, with ...func(*saga.Action)) {
	c.t.Helper()
	decision := c.ask(name, with...)
	require.NotNil(c.t, decision.Refused, "%s was accepted", name)
	require.Equal(c.t, code, decision.Refused.Code)
}

func onStep(step string) func(*saga.Action) { return func(a *saga.Action) { a.Step = step } }

func withOutput(output string) func(*saga.Action) {
	return func(a *saga.Action) { a.Output = json.RawMessage(output) }
}

func patch(text string) func(*saga.Action) {
	return func(a *saga.Action) { a.Patch = json.RawMessage(text) }
}

func (c *conversation) expectStatus(status saga.Status) {
	c.t.Helper()
	require.Equal(c.t, status, c.is.Status, c.recent())
}

// expectSteps lists the status of each step: "a succeeded, b running".
func (c *conversation) expectSteps(wanted string) {
	c.t.Helper()
	var are []string
	for i := range c.is.Steps {
		are = append(are, c.is.Steps[i].Name+" "+string(c.is.Steps[i].Status))
	}
	require.Equal(c.t, wanted, strings.Join(are, ", "), c.recent())
}

// expectOut lists the commands that are out, without the id of the saga, in the order of the steps.
func (c *conversation) expectOut(wanted ...string) {
	c.t.Helper()
	are := []string{}
	for i := range c.is.Steps {
		if id, is := c.is.CommandOut(i); is {
			are = append(are, strings.TrimPrefix(id.String(), "s/"))
		}
	}
	require.Equal(c.t, append([]string{}, wanted...), are, c.recent())
}

// expectSent lists the commands of the last decision.
func (c *conversation) expectSent(wanted ...string) {
	c.t.Helper()
	are := []string{}
	for _, command := range c.last.Commands {
		are = append(are, strings.TrimPrefix(command.ID.String(), "s/"))
	}
	require.Equal(c.t, append([]string{}, wanted...), are, c.recent())
}

// sent returns the command of the last decision for the step.
func (c *conversation) sent(step string) saga.Command {
	c.t.Helper()
	i := slices.IndexFunc(c.last.Commands, func(command saga.Command) bool { return command.ID.Step == step })
	require.GreaterOrEqual(c.t, i, 0, "nothing was sent to %s", step)
	return c.last.Commands[i]
}

// expectNoEffect requires that the last event changed nothing, was not refused, and was ignored with a reason.
func (c *conversation) expectNoEffect() {
	c.t.Helper()
	require.False(c.t, c.last.Changed, c.recent())
	require.Nil(c.t, c.last.Refused)
	require.NotEmpty(c.t, c.last.Ignored)
}

func (c *conversation) expectAttention(reason saga.AttentionReason, step string) {
	c.t.Helper()
	require.NotNil(c.t, c.is.Attention, c.recent())
	require.Equal(c.t, reason, c.is.Attention.Reason)
	require.Equal(c.t, step, c.is.Attention.Step)
	require.NotEmpty(c.t, c.is.Attention.Message)
}

func (c *conversation) expectNoAttention() {
	c.t.Helper()
	require.Nil(c.t, c.is.Attention, c.recent())
}

func (c *conversation) expectData(wanted string) {
	c.t.Helper()
	require.JSONEq(c.t, wanted, string(c.is.Data))
}

// expectFailure requires that the saga turned back for that reason.
func (c *conversation) expectFailure(step, code string) {
	c.t.Helper()
	require.NotNil(c.t, c.is.Failure, c.recent())
	require.Equal(c.t, step, c.is.Failure.Step)
	require.Equal(c.t, code, c.is.Failure.Code)
}

// expectNewest lists the types of the entries of the last decision.
func (c *conversation) expectNewest(wanted ...saga.EntryType) {
	c.t.Helper()
	are := []saga.EntryType{}
	for _, entry := range c.last.Entries {
		are = append(are, entry.Type)
	}
	require.Equal(c.t, append([]saga.EntryType{}, wanted...), are, c.recent())
}

// expectHistory requires a history entry of that type for that step.
func (c *conversation) expectHistory(kind saga.EntryType, step string) saga.Entry {
	c.t.Helper()
	for _, entry := range c.history {
		if entry.Type == kind && entry.Step == step {
			return entry
		}
	}
	require.FailNow(c.t, "no entry "+string(kind)+" "+step, c.recent())
	return saga.Entry{}
}

func (c *conversation) expectAllowed(wanted ...saga.ActionName) {
	c.t.Helper()
	require.ElementsMatch(c.t, wanted, c.def.AllowedActions(&c.is), "%s\n%s", c.is.Status, c.recent())
}

func compensatedBy(name string) saga.StepOption { return saga.CompensatedBy("q.compensate-" + name) }

// attempts and compensationAttempts are policies without jitter.
func attempts(most int) saga.StepOption {
	return saga.Retry(saga.Attempts(most), saga.Backoff(time.Second, 2, time.Minute), saga.Jitter(0))
}

func compensationAttempts(most int) saga.StepOption {
	return saga.CompensationRetry(saga.Attempts(most), saga.Backoff(time.Second, 2, time.Minute), saga.Jitter(0))
}

// chain returns compensatable steps in sequence, with one attempt in each direction.
func chain(names ...string) *saga.Builder {
	def := saga.New("order")
	for _, name := range names {
		def.Step(name, "q."+name, compensatedBy(name), attempts(1), compensationAttempts(1))
	}
	return def
}
