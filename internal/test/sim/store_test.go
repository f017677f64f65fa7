package sim_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/sim"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// The store of a simulation, without faults, passes the tests that Postgres passes.
func TestTheSimulatedStoreKeepsTheRules(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, lease time.Duration) storetest.Store {
		t.Helper()
		kept, err := memory.Open(memory.Config{LeaseFor: lease})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, kept.Close()) })
		return &sim.Store{Store: kept, Line: sim.ReliableLine{}}
	})
}
