package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// redrive redrives a dead-lettered command and returns the decision.
func (c *conversation) redrive(command string) saga.Decision {
	c.t.Helper()
	id, err := saga.ParseCommandID("s/" + command)
	require.NoError(c.t, err)
	action := saga.Action{ID: "redrive-" + command, Name: saga.ActionRedrive, Command: id, Actor: "ops", Reason: "repaired"}
	decision, err := c.def.Transition(c.is, saga.Event{At: c.now, Cause: action})
	require.NoError(c.t, err)
	return decision
}

func TestARedrivenCommandIsSentAgainWhileItsStepIsAtWork(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "w.a", saga.Retry(saga.Attempts(3))).Step("b", "w.b"))
	for _, before := range []func(){func() {}, func() { c.fail("a") }} { // running, and waiting for its next attempt
		before()
		decision := c.redrive("a/execute/1")
		require.Len(t, decision.Commands, 1)
		require.Equal(t, "s/a/execute/1", decision.Commands[0].ID.String())
		require.Equal(t, saga.EntryStepRedriven, decision.Entries[0].Type)
		require.Equal(t, c.is.Steps[0].Status, decision.Next.Steps[0].Status, "the step goes on as before")
		require.Equal(t, c.is.Steps[0].DeadlineAt, decision.Next.Steps[0].DeadlineAt)
	}
	c.late("a/execute/1", saga.Reply{Succeeded: true})
	c.expectOut("b/execute/1")
}

func TestACommandIsNotRedrivenWhenNoReplyToItCounts(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	require.Equal(t, saga.RefusedUnknownCommand, c.redrive("a/execute/2").Refused.Code)
	require.Equal(t, saga.RefusedUnknownCommand, c.redrive("x/execute/1").Refused.Code)
	c.succeed("a")
	require.Equal(t, saga.RefusedNotApplicable, c.redrive("a/execute/1").Refused.Code)
	c.act(saga.ActionPause)
	require.Contains(t, c.redrive("b/execute/1").Refused.Message, "resume it first")
	c.act(saga.ActionResume)
	c.refuse("b")
	c.expectOut("a/compensate/1")
	require.Nil(t, c.redrive("a/compensate/1").Refused)
	require.Equal(t, saga.RefusedNotApplicable, c.redrive("a/execute/1").Refused.Code)
	c.refuse("a")
	c.expectStatus(saga.Stuck)
	require.Contains(t, c.redrive("a/compensate/1").Refused.Message, "retry the step")
	c.act(saga.ActionAbandon)
	require.Contains(t, c.redrive("a/compensate/1").Refused.Message, "discard the dead letter")
}
