package goroutines_test

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/goroutines"
)

// own returns the number of the goroutine that calls it.
func own() string {
	var stack [64]byte
	number, _, _ := bytes.Cut(stack[:runtime.Stack(stack[:], false)], []byte(" ["))
	return string(number)
}

func TestALaterCallUsesTheGoroutineOfAnEarlierOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := goroutines.NewPool()
		used := make(map[string]bool)
		for range 10 {
			pool.Run(func() { used[own()] = true })
			synctest.Wait()
		}
		pool.Close()
		assert.Len(t, used, 1)
	})
}

func TestCallsRunAtTheSameTimeAndCloseWaitsForThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool, together := goroutines.NewPool(), make(chan struct{})
		var ended atomic.Int64
		for range 10 {
			pool.Run(func() { <-together; ended.Add(1) })
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() { pool.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed while calls were running")
		default:
		}
		close(together)
		<-closed
		assert.EqualValues(t, 10, ended.Load())
	})
}

func TestACallMayEndItsGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := goroutines.NewPool()
		pool.Run(runtime.Goexit)
		synctest.Wait()
		ran := false
		pool.Run(func() { ran = true })
		pool.Close()
		assert.True(t, ran)
	})
}
