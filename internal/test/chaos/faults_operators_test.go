package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// burst schedules very many sagas for the same moment.
func burst(fx *fixture) int {
	n := times(5000, 200)
	fx.burstAt = time.Now().Add(lasting(40*time.Second, 5*time.Second))
	fx.sideBySide(16, n, func(i int) {
		var started resource.Saga
		data := Data{Number: i}
		body := map[string]any{"definition": "single", "data": data, "start_at": fx.burstAt}
		for attempt := range 5 {
			status, err := fx.anyAPI(i+attempt).call(http.MethodPost, "/v1/sagas", fmt.Sprintf("burst-%d", i), body, &started)
			if err == nil && status < 300 {
				fx.load.acknowledged(started.ID, data)
				return
			}
		}
	})
	require.True(fx.t, time.Now().Before(fx.burstAt), "all sagas should be stored before they are due")
	fx.let(time.Until(fx.burstAt))
	fx.atRest()
	return n
}

// allFiredOnce: every timer fires once, within ten seconds and not early.
func allFiredOnce(fx *fixture, e evidence) []string {
	var faults []string
	fired, last := 0, time.Duration(0)
	for _, one := range e.entries {
		if one.Type != saga.EntryStarted {
			continue
		}
		fired++
		late := one.At.Sub(fx.burstAt)
		last = max(last, late)
		if late < -time.Millisecond {
			faults = append(faults, fmt.Sprintf("%s started %s early", one.SagaID, -late))
		}
	}
	fx.t.Logf("the last of %d timers fired %s after its time", fired, last)
	if last > 10*time.Second {
		faults = append(faults, fmt.Sprintf("the last timer fired %s late", last))
	}
	return append(faults, unequal("timers that fired", fired, len(e.answered))...)
}

// startTogether starts the same saga a thousand times concurrently, on all replicas.
func startTogether(fx *fixture) int {
	n := times(1000, 200)
	data := Data{Number: 1}
	var mu sync.Mutex
	ids := make(map[string]int)
	fx.sideBySide(100, n, func(i int) {
		for {
			var started resource.Saga
			status, err := fx.anyAPI(i).call(http.MethodPost, "/v1/sagas", "the same", map[string]any{"definition": "linear", "data": data}, &started)
			if err == nil && (status == http.StatusCreated || status == http.StatusOK) {
				mu.Lock()
				defer mu.Unlock()
				ids[started.ID]++
				return
			}
		}
	})
	require.Len(fx.t, ids, 1, "one key is one saga")
	for id, answers := range ids {
		require.Equal(fx.t, n, answers)
		fx.load.acknowledged(id, data)
	}
	fx.atRest()
	return n
}

// cancelAtAnyMoment cancels sagas at random moments, and records the answers.
func cancelAtAnyMoment(fx *fixture) int {
	n := times(500, 20)
	fx.cancelled = make(map[string]bool)
	begin := func(i int) string { return fx.startOne([]string{"linear", "parallel"}[i%2], Data{Number: i}) }
	for range 2 { // the first sagas wait for the workers
		fx.sideBySide(16, 64, func(i int) { begin(i) })
		fx.atRest()
	}
	// The usual duration of a saga, so that some cancels come before its end and some after.
	usual := time.Duration(fx.count(`select (1e6 * percentile_cont(0.5) within group (
		order by extract(epoch from finished_at - created_at)))::bigint
		from (select * from sagas order by created_at desc limit 64) as latest`)) * time.Microsecond
	var mu sync.Mutex
	fx.sideBySide(16, n, func(i int) {
		id := begin(i)
		fx.let(rand.N(2 * usual))
		status, err := fx.anyAPI(i+1).call(http.MethodPost, "/v1/sagas/"+id+"/compensate", "", map[string]any{"reason": "changed my mind"}, nil)
		require.NoError(fx.t, err)
		require.Contains(fx.t, []int{http.StatusOK, http.StatusConflict}, status)
		mu.Lock()
		defer mu.Unlock()
		fx.cancelled[id] = status == http.StatusOK
	})
	fx.atRest()
	won := 0
	for _, cancelled := range fx.cancelled {
		if cancelled {
			won++
		}
	}
	fx.t.Logf("of %d cancels %d came in time", n, won)
	return min(won, n-won) // both must have happened
}

// oneWinner: an accepted cancel compensates the saga; a refused one leaves it completed.
func oneWinner(fx *fixture, e evidence) []string {
	var faults []string
	for id, cancelled := range fx.cancelled {
		if status := e.answered[id].Status; cancelled != (status == saga.Compensated) {
			faults = append(faults, fmt.Sprintf("%s is %s; cancel accepted: %v", id, status, cancelled))
		}
	}
	return faults
}

// upgrade registers a longer version of a definition while sagas of the first version are running.
func upgrade(fx *fixture) int {
	n := times(100, 10)
	script := map[string]Behaviour{"first": Slow, "second": Slow, "third": Slow, "fourth": Slow}
	old := fx.startMany(n, "linear", script)
	second := *fx.definitions["linear"]
	second.Steps = append(append([]saga.Step{}, second.Steps...), step("fifth", "payments", "fourth"))
	fx.definitions["linear@2"] = &second
	fx.anyAPI(1).must(fx.t, http.MethodPut, "/v1/definitions/linear", &second, nil, http.StatusCreated)
	inFlight := fx.count(`select count(*) from sagas where version = 1 and finished_at is null`)
	fx.startMany(n, "linear", nil)
	fx.atRest()
	fx.old = old
	return inFlight
}

// onTheirVersions: a saga keeps the version that it was started with.
func onTheirVersions(fx *fixture, e evidence) []string {
	var faults []string
	for _, id := range fx.old {
		if version := e.answered[id].Version; version != 1 {
			faults = append(faults, fmt.Sprintf("%s moved to version %d", id, version))
		}
	}
	newer := 0
	for _, answer := range e.answered {
		if answer.Version == 2 {
			newer++
		}
	}
	if newer == 0 {
		faults = append(faults, "no saga was started on the second version")
	}
	return faults
}
