package memory_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

var _ engine.Store = (*memory.Store)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, config memory.Config) *memory.Store {
	t.Helper()
	s, err := memory.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestMemoryPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, lease time.Duration) storetest.Store {
		t.Helper()
		return open(t, memory.Config{LeaseFor: lease})
	})
}

func TestMemoryPassesTheDamageSuite(t *testing.T) {
	t.Parallel()
	storetest.RunDamaged(t, func(t *testing.T, lease time.Duration) (storetest.Store, storetest.Damage) {
		t.Helper()
		s := open(t, memory.Config{LeaseFor: lease})
		return s, s
	})
}

func TestMemoryWithFilePassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, lease time.Duration) storetest.Store {
		t.Helper()
		return open(t, memory.Config{LeaseFor: lease, File: filepath.Join(t.TempDir(), "sagas.db")})
	})
}
