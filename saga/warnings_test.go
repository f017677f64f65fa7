package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestWarningsNameAttemptsLongerThanTheConsumerTimeout(t *testing.T) {
	t.Parallel()
	fine := saga.New("order").Step("a", "q.a", saga.CompensatedBy("q.b"), saga.Timeout(saga.ConsumerTimeout)).MustBuild()
	assert.Empty(t, fine.Warnings())
	long := saga.New("order").Step("a", "q.a", saga.CompensatedBy("q.b"), saga.Timeout(saga.ConsumerTimeout+time.Second)).MustBuild()
	found := long.Warnings()
	assert.Len(t, found, 2)
	assert.Equal(t, "/steps/0/timeout", found[0].Pointer)
	assert.Equal(t, "/steps/0/compensation_timeout", found[1].Pointer)
	assert.Contains(t, found[0].Message, "consumer_timeout")
}
