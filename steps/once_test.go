package steps_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// B7: a broker that waits no longer for an acknowledgement delivers the command again while its handler runs.
func TestACommandThatIsDeliveredAgainWhileItRunsIsNotRunTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	w := b.worker(steps.Config{Concurrency: 4})
	var runs, most atomic.Int32
	release := make(chan struct{})
	steps.Handle(w, "payments.charge", func(context.Context, steps.Command[chargeInput]) (chargeOutput, error) {
		most.Store(max(most.Load(), runs.Add(1)))
		<-release
		return chargeOutput{ChargeID: "c-1"}, nil
	})
	b.run(w)
	b.send(command(saga.Execute, 1), command(saga.Execute, 1), command(saga.Execute, 1))
	assert.Eventually(t, func() bool { return runs.Load() > 0 }, 10*time.Second, time.Millisecond)
	b.send(command(saga.Execute, 1))
	close(release)
	b.reply(4)
	assert.EqualValues(t, 1, most.Load(), "at a time")
	assert.LessOrEqual(t, runs.Load(), int32(2), "what came after the first had ended runs again, as ever")
	for n := 1; n <= 4; n++ {
		assert.True(t, b.reply(n).Succeeded, "every delivery gets the answer")
	}
}
