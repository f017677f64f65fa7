package diagnose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// A locked queue exists: registering the definition again would not help.
func TestWhyAnotherConnectionHasLockedTheQueue(t *testing.T) {
	t.Parallel()
	s := begin(t, saga.Start{}).inOutbox("b", record.OutboxRow{CreatedAt: whyNow().Add(-time.Minute), Queue: "qb"})
	s.Queues["qb"] = wire.QueueState{Exists: true, Locked: true}
	s.Problems = map[string]record.QueueProblem{"qb": {Queue: "qb", Kind: record.QueueMissing, Since: whyNow().Add(-30 * time.Second)}}
	why := s.wants(resource.CauseUnroutable, "b")
	assert.Contains(t, why.Message, "another connection has locked queue qb")
	assert.NotContains(t, why.Message, "no queue")
	assert.True(t, *why.Evidence.Queue.Exists)
	assert.Nil(t, why.Evidence.Queue.Consumers, "the broker does not report them")

	s = begin(t, saga.Start{})
	s.Queues["qa"] = wire.QueueState{Exists: true, Locked: true}
	why = s.wants(resource.CauseWaitingForWorker, "a")
	assert.Contains(t, why.Message, "queue qa, which another connection has locked")
}
