package diagnose

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const whySagaID = "01JD0000000000000000000000"

func whyNow() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }

// whyDefinition has two branches that start immediately, then a step after both.
func whyDefinition(t *testing.T) *saga.Definition {
	t.Helper()
	def, err := saga.ParseDefinition("order", 1, []byte(`{"steps":[
		{"name":"a","queue":"qa","command":"a.do","compensation":"a.release","after":[]},
		{"name":"b","queue":"qb","command":"b.do","compensation":"b.release","after":[],"retry":{"max_attempts":2,"jitter":0}},
		{"name":"c","queue":"qc","command":"c.do","after":["a","b"]}]}`))
	require.NoError(t, err)
	return def
}

// story is a saga in a state that the real core produced, with the evidence around it.
type story struct {
	t *testing.T
	Evidence
}

// begin starts a saga at whyNow. Its queues exist and have workers.
func begin(t *testing.T, request saga.Start) *story {
	t.Helper()
	def := whyDefinition(t)
	request.ID, request.At = whySagaID, whyNow()
	decision, err := def.Start(request)
	require.NoError(t, err)
	healthy := wire.QueueState{Exists: true, Consumers: 1}
	return &story{t: t, Evidence: Evidence{
		Definition: def, Instance: &decision.Next, Outbox: make(map[string]record.OutboxRow), Now: whyNow(),
		Queues: map[string]wire.QueueState{"qa": healthy, "qb": healthy, "qc": healthy},
	}}
}

func (s *story) happens(cause saga.Cause) *story {
	s.t.Helper()
	s.Now = s.Now.Add(time.Second)
	decision, err := s.Definition.Transition(*s.Instance, saga.Event{At: s.Now, OverdueAfter: time.Hour, Cause: cause})
	require.NoError(s.t, err)
	require.Nil(s.t, decision.Refused)
	s.Instance = &decision.Next
	return s
}

func (s *story) succeeds(step string, direction saga.Direction) *story {
	return s.happens(saga.Reply{Command: s.id(step, direction), Succeeded: true})
}

func (s *story) fails(step string, direction saga.Direction, retryable bool) *story {
	return s.happens(saga.Reply{
		Command: s.id(step, direction), Error: &saga.ReplyError{Code: "broken", Message: "it is", Retryable: retryable},
	})
}

// id returns the id of the command that the step waits for.
func (s *story) id(step string, direction saga.Direction) saga.CommandID {
	s.t.Helper()
	id, out := s.Instance.CommandOut(s.position(step))
	require.True(s.t, out, "no command of %s is out", step)
	require.Equal(s.t, direction, id.Direction)
	return id
}

func (s *story) inOutbox(step string, row record.OutboxRow) *story {
	id, out := s.Instance.CommandOut(s.position(step))
	require.True(s.t, out)
	row.CommandID = id.String()
	s.Outbox[row.CommandID] = row
	return s
}

// wants asserts the cause and the step.
func (s *story) wants(cause, step string) resource.Why {
	s.t.Helper()
	why := s.Explain()
	require.Equal(s.t, cause, why.Cause, "%+v", why)
	if step == "" {
		require.Nil(s.t, why.Step)
	} else {
		require.NotNil(s.t, why.Step)
		require.Equal(s.t, step, *why.Step)
	}
	require.NotEmpty(s.t, why.Message)
	require.NotNil(s.t, why.Since)
	require.NotNil(s.t, why.AllowedActions)
	return why
}

func TestWhyWaitingForAWorker(t *testing.T) {
	t.Parallel()
	why := begin(t, saga.Start{}).wants(resource.CauseWaitingForWorker, "a")
	assert.Equal(t, whyNow(), why.Since.Time, "since the attempt was dispatched")
	assert.Equal(t, whyNow().Add(30*time.Second), why.NextAutomatic.At.Time, "then it times out")
	assert.Equal(t, resource.OutboxConfirmed, why.Evidence.Outbox.State)
	assert.Equal(t, 1, *why.Evidence.Queue.Consumers)
	assert.Equal(t, []string{"a", "b"}, why.Evidence.Waiting)
}

func TestWhyTheWorstCommandIsTheCause(t *testing.T) {
	t.Parallel()
	old := record.OutboxRow{CreatedAt: whyNow().Add(-time.Minute), Queue: "qb"}
	returned := record.OutboxRow{CreatedAt: whyNow().Add(-time.Minute), Queue: "qb"}
	missing := record.QueueProblem{Queue: "qb", Kind: record.QueueMissing, Since: whyNow().Add(-30 * time.Second), Reason: "NO_ROUTE"}

	s := begin(t, saga.Start{})
	s.Queues["qb"] = wire.QueueState{Exists: true, Depth: 3}
	why := s.wants(resource.CauseNoConsumer, "b")
	assert.Contains(t, why.Message, "qb")
	assert.Equal(t, 3, *why.Evidence.Queue.Depth)

	s = begin(t, saga.Start{}).inOutbox("b", old)
	s.Queues["qa"] = wire.QueueState{Exists: true}
	why = s.wants(resource.CauseNotPublished, "b")
	assert.Equal(t, old.CreatedAt, why.Since.Time)
	assert.Equal(t, resource.OutboxWritten, why.Evidence.Outbox.State)
	assert.NotContains(t, why.Message, "cannot be reached")

	s = begin(t, saga.Start{}).inOutbox("a", old).inOutbox("b", returned)
	s.Problems = map[string]record.QueueProblem{"qb": missing}
	why = s.wants(resource.CauseUnroutable, "b")
	assert.Equal(t, missing.Since, why.Since.Time)
	assert.Equal(t, resource.OutboxReturned, why.Evidence.Outbox.State)

	s = begin(t, saga.Start{})
	s.Queues["qb"] = wire.QueueState{}
	s.wants(resource.CauseUnroutable, "b")
}

// A command that is in no queue does not come to the worker that is started for it.
func TestWhyAnEmptyQueueWithoutAWorker(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{})
	s.Queues["qa"] = wire.QueueState{Exists: true}
	fresh := s.wants(resource.CauseNoConsumer, "a")
	assert.Contains(t, fresh.Message, "No worker consumes queue qa (depth 0)", "its state may be from before the command came")
	assert.NotContains(t, fresh.Message, "took")

	s.Now = whyNow().Add(queueStateAge + 30*time.Second/unreportedDelay)
	assert.Equal(t, fresh.Message, s.wants(resource.CauseNoConsumer, "a").Message, "it may have been published late")

	s.Now = s.Now.Add(time.Millisecond)
	why := s.wants(resource.CauseNoConsumer, "a")
	assert.Contains(t, why.Message, "queue qa is empty and has no worker")
	assert.Contains(t, why.Message, "the next attempt or the compensation needs one")
	assert.Equal(t, s.Instance.Steps[0].DeadlineAt, why.NextAutomatic.At.Time, "the saga goes on when the attempt times out")
	assert.Equal(t, "the attempt of step a times out", why.NextAutomatic.What)

	s.Queues["qa"] = wire.QueueState{Exists: true, Depth: 1}
	assert.Equal(t, strings.Replace(fresh.Message, "depth 0", "depth 1", 1), s.wants(resource.CauseNoConsumer, "a").Message)

	s.Queues["qa"] = wire.QueueState{Exists: true}
	s.inOutbox("a", record.OutboxRow{Queue: "qa", CreatedAt: s.Now.Add(-publishAllowance)})
	assert.Equal(t, fresh.Message, s.wants(resource.CauseNoConsumer, "a").Message, "the broker has not confirmed it")
}

func TestWhyAFreshCommandIsJustOnItsWay(t *testing.T) {
	t.Parallel()
	fresh := record.OutboxRow{CreatedAt: whyNow().Add(-100 * time.Millisecond)}
	s := begin(t, saga.Start{}).inOutbox("a", fresh).inOutbox("b", fresh)
	onItsWay := s.wants(resource.CauseWaitingForWorker, "a")
	require.NotNil(t, onItsWay.NextAutomatic, "a row that exists for a moment changes nothing")
	assert.Equal(t, s.Instance.Steps[0].DeadlineAt, onItsWay.NextAutomatic.At.Time)

	s.Broker, s.Queues = errors.New("connection refused"), nil
	why := s.wants(resource.CauseNotPublished, "a")
	assert.Contains(t, why.Message, "cannot be reached")
	assert.Equal(t, "unreachable", why.Evidence.Broker)
	assert.Nil(t, why.Evidence.Queue.Depth, "the broker was not reachable")
	require.NotNil(t, why.NextAutomatic)
	assert.Nil(t, why.NextAutomatic.At, "the time at which the broker comes back is unknown")
	assert.Contains(t, why.NextAutomatic.What, "published")
}

func TestWhyTheDatabaseStoresNothing(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{})
	s.NothingStored = true
	assert.Contains(t, s.wants(resource.CauseWaitingForWorker, "a").Message, "The database takes no changes at present")
	s.Parked = true
	assert.Contains(t, s.wants(resource.CauseWaitingForWorker, "a").Message, "such as a reply, has arrived, but the database refuses the change")
}

func TestWhyTheBrokerRefusesACommand(t *testing.T) {
	t.Parallel()
	refused := record.OutboxRow{
		Queue: "qa", CreatedAt: whyNow().Add(-time.Hour), RefusedAt: whyNow().Add(-time.Minute), RetryAt: whyNow().Add(time.Minute),
		Reason: "PRECONDITION_FAILED - message size 300000 is larger\n than configured max size 200000", Attempts: 7,
	}
	why := begin(t, saga.Start{}).succeeds("b", saga.Execute).inOutbox("a", refused).wants(resource.CauseRefusedByBroker, "a")
	assert.Contains(t, why.Message, "message size 300000 is larger than configured", "in the broker's words, on one line")
	assert.Equal(t, refused.RefusedAt, why.Since.Time)
	assert.Equal(t, refused.RetryAt, why.NextAutomatic.At.Time)
	assert.Equal(t, resource.OutboxRefused, why.Evidence.Outbox.State)
	assert.Equal(t, refused.RetryAt, why.Evidence.Outbox.RetryAt.Time)
	assert.Equal(t, 7, why.Evidence.Outbox.Attempts)
}

func TestWhyAQueueTakesNoCommands(t *testing.T) {
	t.Parallel()
	for kind, cause := range map[record.ProblemKind]string{
		record.QueueMissing: resource.CauseUnroutable, record.QueueRefuses: resource.CauseRefusedByBroker, record.QueueNotConfirming: resource.CauseNotPublished,
	} {
		problem := record.QueueProblem{
			Queue: "qa", Kind: kind, Reason: "the words of the broker", Since: whyNow().Add(-time.Minute), RetryAt: whyNow().Add(time.Second),
		}
		s := begin(t, saga.Start{}).inOutbox("a", record.OutboxRow{Queue: "qa", CreatedAt: whyNow().Add(-time.Hour)})
		s.Problems = map[string]record.QueueProblem{"qa": problem}
		why := s.wants(cause, "a")
		assert.Equal(t, problem.Since, why.Since.Time, kind)
		assert.Equal(t, problem.RetryAt, why.NextAutomatic.At.Time, kind)
		assert.Equal(t, problem.Reason, why.Evidence.Outbox.Reason, kind)
		if kind != record.QueueMissing {
			assert.Contains(t, why.Message, problem.Reason)
		}
	}
}

func TestWhyWaitingForTheNextAttempt(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).succeeds("a", saga.Execute).fails("b", saga.Execute, true)
	why := s.wants(resource.CauseRetryAt, "b")
	assert.Equal(t, s.Instance.Steps[1].NextAttemptAt, why.NextAutomatic.At.Time)
	assert.Contains(t, why.Message, "broken")
	assert.Equal(t, "broken", why.Evidence.Step.Error.Code)
	assert.Equal(t, "step b is retried", why.NextAutomatic.What)
}

func TestWhyWaitingForTheNextAttemptOfACompensation(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).succeeds("a", saga.Execute).succeeds("b", saga.Execute).fails("c", saga.Execute, false)
	s.fails("a", saga.Compensate, true).succeeds("b", saga.Compensate)
	why := s.wants(resource.CauseRetryAt, "a")
	assert.Equal(t, "the compensation of step a is retried", why.NextAutomatic.What)
}

func TestWhyACompensatingSagaWaitsForItsOtherBranch(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).fails("a", saga.Execute, false)
	require.Equal(t, saga.Compensating, s.Instance.Status)
	s.wants(resource.CauseWaitingForBranch, "b")

	s.Queues["qb"] = wire.QueueState{Exists: true}
	s.wants(resource.CauseNoConsumer, "b")
}

func TestWhyAnExhaustedBranchWaitsForTheOthers(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).succeeds("a", saga.Execute).succeeds("b", saga.Execute).fails("c", saga.Execute, false)
	s.fails("a", saga.Compensate, false)
	require.NotNil(t, s.Instance.Attention, "the saga already needs an operator")
	require.Equal(t, saga.Compensating, s.Instance.Status, "b is still being compensated")
	why := s.wants(resource.CauseWaitingForBranch, "b")
	assert.Contains(t, why.Message, "Step a is exhausted")
	assert.Equal(t, saga.CompensationExhausted, why.Evidence.Attention.Reason)

	s.succeeds("b", saga.Compensate)
	why = s.wants(string(saga.CompensationExhausted), "a")
	assert.Equal(t, s.Instance.Attention.Since, why.Since.Time)
	assert.Contains(t, why.AllowedActions, saga.ActionSkip)
	assert.Equal(t, "a.release", why.Evidence.Step.Command)
}

// Only a step that sends commands has a worker to repair.
func TestWhyAFailedStepNeedsWhatItsKindNeeds(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]string{
		`"queue":"q","command":"c"`: "Repair the worker and retry",
		`"saga":"shipment"`:         "See why its child saga 01CHILD did not succeed, and retry, which starts another one",
		`"signal":"approve"`:        "Retry, which waits for the signal approve again",
		`"until":"/at"`:             "Correct the data and retry",
	} {
		def, err := saga.ParseDefinition("order", 1, []byte(`{"steps":[{"name":"a",`+step+`}]}`))
		require.NoError(t, err, step)
		for _, reason := range []saga.AttentionReason{saga.RetriesExhausted, saga.InvalidOutput} {
			message := Evidence{Definition: def, Instance: &saga.Instance{
				Attention: &saga.Attention{Reason: reason, Step: "a"},
				Progress:  saga.Progress{Steps: []saga.StepState{{Name: "a", Children: []string{"01CHILD"}}}},
			}}.attentionMessage()
			assert.Contains(t, message, want)
			assert.Equal(t, def.Steps[0].Wait() == saga.NoWait, strings.Contains(message, "worker"), message)
		}
	}
}

func TestWhyAStepThatNoWorkerWasAskedForNeedsOtherData(t *testing.T) {
	t.Parallel()
	def, err := saga.ParseDefinition("order", 1, []byte(`{"steps":[{"name":"a","queue":"q","command":"c","kind":"retriable"}]}`))
	require.NoError(t, err)
	for _, code := range []string{saga.CodeConditionFailed, saga.CodeInputTooLarge} {
		message := Evidence{Definition: def, Instance: &saga.Instance{
			Attention: &saga.Attention{Reason: saga.RetriesExhausted, Step: "a"},
			Progress:  saga.Progress{Steps: []saga.StepState{{Name: "a", Error: &saga.StepError{Code: code}}}},
		}}.attentionMessage()
		assert.Contains(t, message, "Correct the data and retry", code)
		assert.NotContains(t, message, "worker", code)
	}
}

func TestWhyAtRest(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{StartAt: whyNow().Add(time.Hour)})
	why := s.wants(resource.CauseScheduled, "")
	assert.Equal(t, whyNow().Add(time.Hour), why.NextAutomatic.At.Time)

	s = begin(t, saga.Start{Deadline: time.Hour}).happens(saga.Action{ID: "1", Name: saga.ActionPause})
	why = s.wants(resource.CausePaused, "")
	assert.Nil(t, why.NextAutomatic, "a paused saga has no timer")
	assert.Contains(t, why.AllowedActions, saga.ActionResume)

	s = begin(t, saga.Start{}).succeeds("a", saga.Execute).succeeds("b", saga.Execute).succeeds("c", saga.Execute)
	why = s.wants(resource.CauseDone, "")
	assert.Equal(t, s.Instance.FinishedAt, why.Since.Time)

	s = begin(t, saga.Start{})
	late := s.id("a", saga.Execute)
	s.happens(saga.Action{ID: "1", Name: saga.ActionAbandon, Reason: "x"})
	s.wants(resource.CauseDone, "")
	s.happens(saga.Reply{Command: late, Succeeded: true})
	why = s.wants(string(saga.LateEffect), "a")
	assert.Contains(t, why.AllowedActions, saga.ActionAcknowledge)
	assert.Contains(t, why.Message, "Compensate it")

	s = begin(t, saga.Start{}).succeeds("a", saga.Execute)
	s.happens(saga.Action{ID: "1", Name: saga.ActionCompensate, Reason: "x"})
	s.happens(saga.Reply{Command: s.id("b", saga.Execute), Error: &saga.ReplyError{Code: "no"}})
	late = s.id("a", saga.Compensate)
	s.happens(saga.Action{ID: "2", Name: saga.ActionAbandon, Reason: "x"})
	s.happens(saga.Reply{Command: late, Succeeded: true})
	why = s.wants(string(saga.LateEffect), "a")
	assert.Contains(t, why.Message, "nothing is left of it", "the compensation came, not the effect")
}

func TestWhyAnOverdueSagaHasTheCauseUnderneath(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{})
	s.Queues["qa"] = wire.QueueState{Exists: true}
	s.Instance.Attention = &saga.Attention{Reason: saga.Overdue, Since: s.Now, Message: "no progress"}
	why := s.wants(resource.CauseNoConsumer, "a")
	assert.Equal(t, saga.Overdue, why.Evidence.Attention.Reason)

	for i := range s.Instance.Steps { // an impossible state: a running saga without commands and timers
		s.Instance.Steps[i].Status = saga.StepPending
	}
	s.wants(string(saga.Overdue), "")
}

func TestWhyTheDeadlineComesBeforeALaterAttempt(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{Deadline: 3 * time.Second}).succeeds("a", saga.Execute).fails("b", saga.Execute, true)
	s.Instance.Steps[1].NextAttemptAt = whyNow().Add(time.Hour)
	why := s.wants(resource.CauseRetryAt, "b")
	assert.Equal(t, s.Instance.DeadlineAt, why.NextAutomatic.At.Time)
	assert.Contains(t, why.NextAutomatic.What, "deadline")
}

func TestWhyAnotherBranchComesBeforeTheCause(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).fails("b", saga.Execute, true)
	s.Instance.Steps[1].NextAttemptAt = whyNow().Add(5 * time.Second)
	s.Queues["qa"] = wire.QueueState{Exists: true}
	why := s.wants(resource.CauseNoConsumer, "a")
	assert.Equal(t, whyNow().Add(5*time.Second), why.NextAutomatic.At.Time)
	assert.Contains(t, why.NextAutomatic.What, "step b is retried")
}

func TestWhyTheDeadlineIsAmongTheTimers(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{Deadline: 10 * time.Second})
	why := s.wants(resource.CauseWaitingForWorker, "a")
	require.NotEmpty(t, why.Evidence.Timers)
	assert.Equal(t, whyNow().Add(10*time.Second), why.Evidence.Timers[0].At.Time)
	assert.Equal(t, whyNow().Add(10*time.Second), why.NextAutomatic.At.Time, "it comes before the timeout of the step")
}
