package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

func TestSignalsMergeUntilTheyAreReceived(t *testing.T) {
	t.Parallel()
	s := wait.NewSignal()
	s.Notify()
	s.Notify()
	assert.Len(t, s.C(), 1)
	<-s.C()
	assert.Empty(t, s.C())
	assert.NotPanics(t, wait.Signal{}.Notify, "the zero Signal never fires")
}

func TestForWaitsUntilTheTimeIsOverOrTheContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		assert.True(t, wait.For(ctx, time.Second))
		assert.False(t, wait.For(ctx, time.Hour))
	})
}
