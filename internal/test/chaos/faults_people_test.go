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

// burst has very many sagas due in the same moment.
func burst(w *world) int {
	n := times(5000, 200)
	w.burstAt = time.Now().Add(lasting(40*time.Second, 5*time.Second))
	w.sideBySide(16, n, func(i int) {
		var started resource.Saga
		data := Data{Number: i}
		body := map[string]any{"definition": "single", "data": data, "start_at": w.burstAt}
		for attempt := range 5 {
			status, err := w.anyAPI(i+attempt).call(http.MethodPost, "/v1/sagas", fmt.Sprintf("burst-%d", i), body, &started)
			if err == nil && status < 300 {
				w.load.acknowledged(started.ID, data)
				return
			}
		}
	})
	require.True(w.t, time.Now().Before(w.burstAt), "the sagas should all be there before they are due")
	w.let(time.Until(w.burstAt))
	w.atRest()
	return n
}

// allFiredOnce: within ten seconds, none early, each once.
func allFiredOnce(w *world, e evidence) []string {
	var faults []string
	fired, last := 0, time.Duration(0)
	for _, one := range e.entries {
		if one.Type != saga.EntryStarted {
			continue
		}
		fired++
		late := one.At.Sub(w.burstAt)
		last = max(last, late)
		if late < -time.Millisecond {
			faults = append(faults, fmt.Sprintf("%s started %s early", one.SagaID, -late))
		}
	}
	w.t.Logf("the last of %d timers fired %s after its time", fired, last)
	if last > 10*time.Second {
		faults = append(faults, fmt.Sprintf("the last timer fired %s late", last))
	}
	return append(faults, unequal("timers that fired", fired, len(e.answered))...)
}

// startTogether starts the same saga a thousand times at the same moment, on all replicas.
func startTogether(w *world) int {
	n := times(1000, 200)
	data := Data{Number: 1}
	var mu sync.Mutex
	ids := make(map[string]int)
	w.sideBySide(100, n, func(i int) {
		for {
			var started resource.Saga
			status, err := w.anyAPI(i).call(http.MethodPost, "/v1/sagas", "the same", map[string]any{"definition": "linear", "data": data}, &started)
			if err == nil && (status == http.StatusCreated || status == http.StatusOK) {
				mu.Lock()
				defer mu.Unlock()
				ids[started.ID]++
				return
			}
		}
	})
	require.Len(w.t, ids, 1, "one key is one saga")
	for id, answers := range ids {
		require.Equal(w.t, n, answers)
		w.load.acknowledged(id, data)
	}
	w.atRest()
	return n
}

// cancelAtAnyMoment cancels sagas at moments when they may be anywhere, and remembers what was answered.
func cancelAtAnyMoment(w *world) int {
	n := times(500, 20)
	w.cancelled = make(map[string]bool)
	begin := func(i int) string { return w.startOne([]string{"linear", "parallel"}[i%2], Data{Number: i}) }
	for range 2 { // the first of them wait for the workers
		w.sideBySide(16, 64, func(i int) { begin(i) })
		w.atRest()
	}
	// How long a saga takes here, so that some cancels come before its end and some after.
	usual := time.Duration(w.count(`select (1e6 * percentile_cont(0.5) within group (
		order by extract(epoch from finished_at - created_at)))::bigint
		from (select * from sagas order by created_at desc limit 64) as latest`)) * time.Microsecond
	var mu sync.Mutex
	w.sideBySide(16, n, func(i int) {
		id := begin(i)
		w.let(rand.N(2 * usual))
		status, err := w.anyAPI(i+1).call(http.MethodPost, "/v1/sagas/"+id+"/compensate", "", map[string]any{"reason": "changed my mind"}, nil)
		require.NoError(w.t, err)
		require.Contains(w.t, []int{http.StatusOK, http.StatusConflict}, status)
		mu.Lock()
		defer mu.Unlock()
		w.cancelled[id] = status == http.StatusOK
	})
	w.atRest()
	won := 0
	for _, cancelled := range w.cancelled {
		if cancelled {
			won++
		}
	}
	w.t.Logf("of %d cancels %d came in time", n, won)
	return min(won, n-won) // both have to have happened
}

// oneWinner: a cancel that was taken undoes the saga; one that was refused leaves it completed.
func oneWinner(w *world, e evidence) []string {
	var faults []string
	for id, cancelled := range w.cancelled {
		if status := e.answered[id].Status; cancelled != (status == saga.Compensated) {
			faults = append(faults, fmt.Sprintf("%s is %s; was its cancel taken? %v", id, status, cancelled))
		}
	}
	return faults
}

// upgrade registers a longer version of a definition while sagas of the first are under way.
func upgrade(w *world) int {
	n := times(100, 10)
	script := map[string]Behaviour{"first": Slow, "second": Slow, "third": Slow, "fourth": Slow}
	old := w.startMany(n, "linear", script)
	second := *w.definitions["linear"]
	second.Steps = append(append([]saga.Step{}, second.Steps...), step("fifth", "payments", "fourth"))
	w.definitions["linear@2"] = &second
	w.anyAPI(1).must(w.t, http.MethodPut, "/v1/definitions/linear", &second, nil, http.StatusCreated)
	inFlight := w.count(`select count(*) from sagas where version = 1 and finished_at is null`)
	w.startMany(n, "linear", nil)
	w.atRest()
	w.old = old
	return inFlight
}

// onTheirVersions: a saga keeps the version that it was started with.
func onTheirVersions(w *world, e evidence) []string {
	var faults []string
	for _, id := range w.old {
		if version := e.answered[id].Version; version != 1 {
			faults = append(faults, fmt.Sprintf("%s went over to version %d", id, version))
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
