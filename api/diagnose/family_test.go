package diagnose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// withChildren starts a saga whose step ship waits for a child, and then bill, of that kind, for another.
func withChildren(t *testing.T, kind string, parent *saga.Parent) *story {
	t.Helper()
	def, err := saga.ParseDefinition("order", 1, []byte(`{"steps":[
		{"name":"ship","saga":"shipping","after":[]},{"name":"bill","saga":"billing","kind":"`+kind+`","after":["ship"]}]}`))
	require.NoError(t, err)
	decision, err := def.Start(saga.Start{ID: whySagaID, At: whyNow(), Parent: parent})
	require.NoError(t, err)
	return &story{t: t, Evidence: Evidence{Definition: def, Instance: &decision.Next, Now: whyNow(), Lost: map[string]LostChild{}}}
}

func (s *story) child(step string) string { return s.Instance.Steps[s.position(step)].Child() }

// says asserts the cause of the step's wait, and parts of its message.
func (s *story) says(cause, step string, parts ...string) resource.Why {
	s.t.Helper()
	why := s.wants(cause, step)
	for _, part := range parts {
		assert.Contains(s.t, why.Message, part)
	}
	return why
}

func TestWhyAChildThatWillNotReport(t *testing.T) {
	t.Parallel()
	s := withChildren(t, "compensatable", nil)
	id := s.child("ship")
	require.Equal(t, []int{0}, s.Awaited())
	why := s.says(resource.CauseWaitingForChild, "ship", id, "See why that one is not further")
	assert.Nil(t, why.NextAutomatic.At)

	s.Outbox = map[string]record.OutboxRow{whySagaID + "/ship/execute/1": {Queue: wire.BetweenSagas, CreatedAt: whyNow().Add(-time.Minute)}}
	s.says(resource.CauseWaitingForChild, "ship", id, "the message to it is in the outbox since", "waits for its turn")
	s.Outbox = nil

	s.Lost[id] = LostChild{}
	why = s.says(resource.CauseWaitingForChild, "ship", id, "gone", "not report", "counts as abandoned", "compensate or rewind the saga", saga.CodeChildGone)
	assert.NotContains(t, why.Message, "See why")
	assert.Equal(t, s.Instance.Steps[0].DeadlineAt, why.NextAutomatic.At.Time, "it looks at its child by itself")
	assert.Equal(t, "the saga looks at the child of step ship", why.NextAutomatic.What)

	s.Lost[id] = LostChild{Status: saga.Completed}
	s.says(resource.CauseWaitingForChild, "ship", id, "is completed, but no report", "asks the child to compensate")
	s.Lost[id] = LostChild{Status: saga.Completed, Unreadable: true}
	s.says(resource.CauseWaitingForChild, "ship", id, "cannot be read", "Restore the row")

	s.Lost[id] = LostChild{}
	s.happens(saga.Action{ID: "1", Name: saga.ActionCompensate, Reason: "no"})
	why = s.says(resource.CauseWaitingForChild, "ship", "can only be abandoned")
	assert.NotContains(t, why.AllowedActions, saga.ActionCompensate)
	s.happens(saga.Action{ID: "2", Name: saga.ActionPause})
	assert.Empty(t, s.Awaited(), "a paused saga waits for an operator")
	s.wants(resource.CausePaused, "")
}

func TestWhyALostChildThatIsNeverCompensated(t *testing.T) {
	t.Parallel()
	s := withChildren(t, "pivot", nil).happens(saga.Action{ID: "1", Name: saga.ActionPause}).happens(saga.Action{ID: "2", Name: saga.ActionResume})
	s.happens(saga.ChildEnded{Step: "ship", Child: s.child("ship"), Status: saga.Completed, Revision: 3})
	s.Lost[s.child("bill")] = LostChild{}
	s.says(resource.CauseWaitingForChild, "bill", "gone", "can only be abandoned")
}

func TestWhyALostChildComesBeforeOtherWaits(t *testing.T) {
	t.Parallel()
	def, err := saga.ParseDefinition("order", 1, []byte(`{"steps":[
		{"name":"nap","delay":"1m","after":[]},{"name":"ship","saga":"shipping","after":[]},{"name":"bill","saga":"billing","after":[]}]}`))
	require.NoError(t, err)
	decision, err := def.Start(saga.Start{ID: whySagaID, At: whyNow()})
	require.NoError(t, err)
	s := &story{t: t, Evidence: Evidence{Definition: def, Instance: &decision.Next, Now: whyNow()}}
	s.wants(resource.CauseWaitingForDelay, "nap")
	s.Lost = map[string]LostChild{s.child("bill"): {}}
	why := s.says(resource.CauseWaitingForChild, "bill", "gone")
	assert.Equal(t, whyNow().Add(time.Minute), why.NextAutomatic.At.Time, "the delay ends before the saga looks")
}

// The compensation of a child saga has no worker that could be repaired.
func TestWhyAChildCannotBeCompensated(t *testing.T) {
	t.Parallel()
	for code, parts := range map[string][]string{
		saga.CodeChildGone:       {"no longer exists", "a retry fails unless", "by hand", "skip the step"},
		saga.CodeChildUnreadable: {"cannot be read", "Repair the row and retry", "by hand", "skip the step"},
		saga.CodeChildAbandoned:  {"was abandoned", "Retry, which opens it again", "skip the step"},
		"not_applicable":         {"see why its child saga", "retry", "skip the step"},
	} {
		s := withChildren(t, "compensatable", nil)
		s.happens(saga.ChildEnded{Step: "ship", Child: s.child("ship"), Status: saga.Completed, Revision: 3})
		s.happens(saga.ChildEnded{Step: "bill", Child: s.child("bill"), Status: saga.Compensated, Revision: 3})
		asked := saga.CommandID{Saga: whySagaID, Step: "ship", Direction: saga.Compensate, Round: 1, Attempt: 1}
		s.happens(saga.ChildEnded{
			Step: "ship", Child: s.child("ship"), Refused: &saga.ReplyError{Code: code, Message: "no"}, Answers: asked, Exists: true,
		})
		why := s.says(string(saga.CompensationExhausted), "ship", append(parts, code, s.child("ship"))...)
		assert.NotContains(t, why.Message, "worker")
		assert.Subset(t, why.AllowedActions, []saga.ActionName{saga.ActionRetry, saga.ActionSkip})
	}
}

func TestWhyAChildOfAParentThatIsGone(t *testing.T) {
	t.Parallel()
	s := withChildren(t, "compensatable", &saga.Parent{Saga: "01PARENT", Step: "whole", Level: 2})
	assert.NotContains(t, s.Explain().Message, "01PARENT")
	s.ParentGone = true
	why := s.says(resource.CauseWaitingForChild, "ship", "parent, saga 01PARENT, is gone", "rewind or pause or abandon")
	assert.NotContains(t, why.AllowedActions, saga.ActionCompensate)
	s.happens(saga.Action{ID: "1", Name: saga.ActionAbandon, Reason: "x"})
	assert.NotContains(t, s.Explain().Message, "01PARENT", "it has ended")
}
