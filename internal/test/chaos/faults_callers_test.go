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

// callHostilely sends every replica what no client should, for missing sagas and definitions, so that the evidence
// remains that of the load. Probes must be answered meanwhile.
func callHostilely(fx *fixture) int {
	whole := fx.broken()
	ctx, stop := context.WithTimeout(fx.t.Context(), time.Duration(times(20, 5))*time.Second)
	defer stop()
	reports := make([]hostile.Report, len(fx.apis))
	var callers sync.WaitGroup
	for i, replica := range fx.apis {
		address := replica.base[len("http://"):]
		callers.Go(func() {
			reports[i] = hostile.Callers{
				Address: address, Definition: "nobody", SagaID: ulid.Make().String(), Seed: fx.seed, AtOnce: 64,
			}.Run(ctx)
		})
		callers.Go(func() { hostile.Crowd(ctx, address, 1000) })
	}
	for ctx.Err() == nil {
		for _, replica := range fx.apis {
			began := time.Now()
			status, err := replica.call(http.MethodGet, "/healthz", "", nil, nil)
			require.NoError(fx.t, err)
			assert.Equal(fx.t, http.StatusOK, status)
			assert.Less(fx.t, time.Since(began), time.Second, "a probe beside hostile callers")
		}
		fx.let(100 * time.Millisecond)
	}
	callers.Wait()
	whole()
	sent := 0
	for _, report := range reports {
		assert.Empty(fx.t, report.Faults)
		sent += report.Sent
	}
	return sent
}
