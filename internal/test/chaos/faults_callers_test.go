package chaos

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/hostile"
)

func callerFaults() []scenario {
	return []scenario{
		{number: 67, name: "hostile callers and a thousand silent connections", inject: callHostilely},
	}
}

// callHostilely sends every replica what no client should, for sagas and definitions that are not there, so that the
// judge's evidence stays that of the load. Probes are answered meanwhile.
func callHostilely(w *world) int {
	whole := w.broken()
	ctx, stop := context.WithTimeout(w.t.Context(), time.Duration(times(20, 5))*time.Second)
	defer stop()
	reports := make([]hostile.Report, len(w.apis))
	var callers sync.WaitGroup
	for i, replica := range w.apis {
		address := replica.base[len("http://"):]
		callers.Go(func() {
			reports[i] = hostile.Callers{
				Address: address, Definition: "nobody", SagaID: ulid.Make().String(), Seed: w.seed, AtOnce: 64,
			}.Run(ctx)
		})
		callers.Go(func() { hostile.Crowd(ctx, address, 1000) })
	}
	for ctx.Err() == nil {
		for _, replica := range w.apis {
			began := time.Now()
			status, err := replica.call(http.MethodGet, "/healthz", "", nil, nil)
			require.NoError(w.t, err)
			assert.Equal(w.t, http.StatusOK, status)
			assert.Less(w.t, time.Since(began), time.Second, "a probe beside hostile callers")
		}
		w.let(100 * time.Millisecond)
	}
	callers.Wait()
	whole()
	sent := 0
	for _, report := range reports {
		assert.Empty(w.t, report.Faults)
		sent += report.Sent
	}
	return sent
}
