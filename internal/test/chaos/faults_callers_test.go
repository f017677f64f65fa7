package chaos

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/hostile"
)

func callerFaults() []scenario {
	return []scenario{
		{number: 67, name: "hostile callers and a thousand silent connections", inject: callHostilely},
		{number: 68, name: "a thousand slow clients", inject: callSlowly, unloaded: true, replicas: 1},
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

// callSlowly measures starts without and with a thousand slow clients. Their p99 stays within twice that without, or under 50 ms:
// below that the scheduler of a busy machine decides.
func callSlowly(fx *fixture) int {
	watched := fx.startOne("single", Data{})
	fx.startMany(500, "single", nil) // a list that takes long to read
	span := time.Duration(times(20, 3)) * time.Second
	without := fx.p99OfStarts(span, fewClients, shortPause)
	ctx, stop := context.WithCancel(fx.t.Context())
	var slow sync.WaitGroup
	slow.Go(func() { hostile.Slow(ctx, fx.apis[0].base[len("http://"):], watched, 1000) })
	fx.let(3 * time.Second)
	with := fx.p99OfStarts(span, fewClients, shortPause)
	stop()
	slow.Wait()
	fx.t.Logf("p99 of a start: %s without slow clients, %s with a thousand", without, with)
	assert.Less(fx.t, with, max(2*without, 50*time.Millisecond))
	return 1000
}

// fewClients with pauses are so few that the machine has time for more.
const (
	fewClients = 4
	shortPause = 10 * time.Millisecond
)

// p99OfStarts starts sagas from a number of clients for a while. Each pauses after a start.
func (fx *fixture) p99OfStarts(span time.Duration, number int, pause time.Duration) time.Duration {
	var mu sync.Mutex
	var took []time.Duration
	var clients sync.WaitGroup
	for i := range number {
		clients.Go(func() {
			for end := time.Now().Add(span); time.Now().Before(end); {
				began := time.Now()
				var started resource.Saga
				body := map[string]any{"definition": "single", "data": Data{Number: i}}
				status, err := fx.apis[0].call(http.MethodPost, "/v1/sagas", "", body, &started)
				spent := time.Since(began)
				if !assert.NoError(fx.t, err) || !assert.Equal(fx.t, http.StatusCreated, status) {
					return
				}
				fx.load.acknowledged(started.ID, Data{Number: i})
				mu.Lock()
				took = append(took, spent)
				mu.Unlock()
				fx.let(pause)
			}
		})
	}
	clients.Wait()
	slices.Sort(took)
	return took[len(took)*99/100]
}
