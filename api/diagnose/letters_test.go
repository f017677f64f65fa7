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

func (s *story) deadLettered(step, source, reason string) *story {
	s.Letters = map[string]record.DeadLetter{s.id(step, saga.Execute).String(): {
		ID: "01JDLETTER", Source: source, Reason: reason, Message: "what is wrong", ReceivedAt: whyNow().Add(time.Second),
	}}
	return s
}

// A command that reached its delivery limit may still have its worker, so its step goes on. But no worker receives it soon.
func TestWhyACommandIsADeadLetterWhileItsStepGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source, reason string
		words          []string
	}{
		"a worker that outlived the consumer timeout": {
			record.SourceCommand, "delivery_limit", []string{"(01JDLETTER, delivery_limit)", "consumer_timeout", "If a worker still has it, its reply counts", "Redrive"},
		},
		"a command that died otherwise": {record.SourceCommand, "rejected", []string{"(01JDLETTER, rejected), so no worker has it", "Redrive"}},
		"a reply that was not decided":  {record.SourceReply, record.ReasonUnreadableSaga, []string{"The reply to the command of step a is a dead letter (01JDLETTER", "Redrive"}},
		"a reply that cannot be read": {
			record.SourceReply, record.ReasonMalformedReply,
			[]string{"replied to the command of step a", "(01JDLETTER, malformed_reply): what is wrong. Mend the worker", "A correct reply still counts"},
		},
		"a reply by a user who may not reply": {
			record.SourceReply, record.ReasonUserNotAllowed, []string{"(01JDLETTER, user_not_allowed): what is wrong.", "--repliers", "Redrive"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, saga.Start{}).deadLettered("a", c.source, c.reason)
			why := s.wants(resource.CauseWaitingForWorker, "a")
			for _, words := range c.words {
				assert.Contains(t, why.Message, words)
			}
			assert.NotContains(t, why.Message, "receive it soon")
			assert.Equal(t, &resource.LetterEvidence{
				ID: "01JDLETTER", Source: c.source, Reason: c.reason, ReceivedAt: resource.OptionalTime(whyNow().Add(time.Second)),
			}, why.Evidence.Letter)
			assert.Equal(t, "the attempt of step a times out", why.NextAutomatic.What)
		})
	}
}

func TestWhyADeadLetterDoesNotHideWhatElseIsMissing(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).deadLettered("a", record.SourceCommand, "delivery_limit")
	s.Queues["qa"] = wire.QueueState{Exists: true}
	why := s.wants(resource.CauseNoConsumer, "a")
	assert.Contains(t, why.Message, "01JDLETTER")
	assert.Contains(t, why.Message, "No worker consumes queue qa")
	s.Queues["qa"] = wire.QueueState{}
	assert.Contains(t, s.wants(resource.CauseUnroutable, "a").Message, "no queue qa")

	drained := begin(t, saga.Start{}).fails("b", saga.Execute, false).deadLettered("a", record.SourceCommand, "delivery_limit")
	drained.Queues["qa"] = wire.QueueState{Exists: true, Consumers: 1}
	why = drained.wants(resource.CauseWaitingForBranch, "a")
	assert.Contains(t, why.Message, "about to compensate")
	assert.Contains(t, why.Message, "01JDLETTER")

	waiting := begin(t, saga.Start{}).inOutbox("a", record.OutboxRow{CreatedAt: whyNow()})
	require.Equal(t, []saga.CommandID{waiting.id("b", saga.Execute)}, waiting.Published(), "the others are not dead letters yet")
}
