package diagnose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestACommandThatIsHeldBackIsExplained(t *testing.T) {
	t.Parallel()
	since := whyNow().Add(time.Minute)
	for name, c := range map[string]struct {
		settings  record.QueueSettings
		before    int64
		words     []string
		automatic bool
		out       []string
	}{
		"pause":        {record.QueueSettings{Paused: true, MaxOut: 3, Since: since}, 0, []string{"Queue qa is paused", "step a", "next to leave"}, false, nil},
		"cap":          {record.QueueSettings{MaxOut: 3, Since: since}, 1, []string{"lets 3 commands out at a time", "One command leaves before", "are of sagas A and B: see why"}, true, []string{"A", "B"}},
		"cap of one":   {record.QueueSettings{MaxOut: 1, Since: since}, 0, []string{"is of saga A: see why it has no reply"}, true, []string{"A"}},
		"rate":         {record.QueueSettings{Rate: 0.5, Since: since}, 7, []string{"lets 0.5 commands leave in a second", "7 commands leave before"}, true, nil},
		"both":         {record.QueueSettings{MaxOut: 3, Rate: 2, Since: since}, record.MaxBefore, []string{"at most 2 a second", "At least 10000", "sagas A, B, C, perhaps of others"}, true, []string{"A", "B", "C"}},
		"settings end": {record.QueueSettings{Since: since}, 2, []string{"about to leave"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, saga.Start{})
			id, _ := s.Instance.CommandOut(0)
			other, _ := s.Instance.CommandOut(1)
			s.Outbox[id.String()] = record.OutboxRow{CommandID: id.String(), Queue: "qa", CreatedAt: whyNow(), HeldBack: true, Before: c.before}
			s.Outbox[other.String()] = s.Outbox[id.String()]
			s.Settings = map[string]record.QueueSettings{"qa": c.settings}
			s.SagasOut = map[string][]string{"qa": c.out}
			why := s.Explain()
			assert.Equal(t, resource.CauseHeldBack, why.Cause)
			for _, words := range c.words {
				assert.Contains(t, why.Message, words)
			}
			assert.Equal(t, since, why.Since.Time)
			assert.Equal(t, c.automatic, why.NextAutomatic != nil)
			assert.Equal(t, resource.OutboxHeldBack, why.Evidence.Outbox.State)
			assert.Equal(t, c.before, *why.Evidence.Outbox.Before)
			assert.Equal(t, c.out, why.Evidence.Outbox.SagasOut)
			assert.Empty(t, why.Evidence.Timers, "the time of the attempts does not run")
			assert.Equal(t, c.settings.Paused, why.Evidence.Queue.Paused)
		})
	}
}

// The broker has no part in it if the row itself cannot be published.
func TestACommandThatCannotBePublishedAsStoredIsExplained(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{})
	retry := whyNow().Add(time.Minute)
	for _, i := range []int{0, 1} {
		id, _ := s.Instance.CommandOut(i)
		s.Outbox[id.String()] = record.OutboxRow{
			CommandID: id.String(), Queue: "qa", CreatedAt: whyNow(), Reason: "the payload cannot be decrypted", Attempts: 3, RetryAt: retry,
		}
	}
	why := s.Explain()
	assert.Equal(t, resource.CauseNotPublished, why.Cause)
	assert.Contains(t, why.Message, "as stored cannot be published: the payload cannot be decrypted. Repair its row")
	assert.Equal(t, retry, why.NextAutomatic.At.Time)
	assert.Equal(t, retry, why.Evidence.Outbox.RetryAt.Time)
}
