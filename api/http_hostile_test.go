package api_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/hostile"
)

func TestHostileCallersDoNotHarmOthers(t *testing.T) {
	o := start(t)
	o.define("order", reserve)
	o.define("healthy", `{"name":"charge","queue":"idle","command":"bank.charge"}`)
	id := o.begin(`{"definition":"order"}`).ID
	o.get("/healthz")
	o.client.CloseIdleConnections()
	before := runtime.NumGoroutine()

	done := make(chan hostile.Report, 1)
	callers := hostile.Callers{Address: strings.TrimPrefix(o.url, "http://"), Definition: "order", SagaID: id, Seed: 20261128, AtOnce: 64}
	attack, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	go func() { done <- callers.Run(attack) }() // waited for below
	var report hostile.Report
	for ended := false; !ended; {
		select {
		case report = <-done:
			ended = true
		default:
			began := time.Now()
			require.Equal(t, http.StatusOK, o.get("/healthz").StatusCode)
			assert.Less(t, time.Since(began), time.Second, "latency of a probe beside hostile callers")
			o.post("/v1/sagas", `{"definition":"healthy"}`).saga(http.StatusCreated)
		}
	}
	assert.Empty(t, report.Faults, "no request causes an internal error")
	assert.Greater(t, report.Sent, 300)
	assert.NotZero(t, report.Answers[http.StatusOK])
	assert.NotZero(t, report.Answers[http.StatusBadRequest])
	t.Logf("%d sent, answers %v", report.Sent, report.Answers)

	o.client.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+10 }, 30*time.Second, 50*time.Millisecond,
		"when they have left, nothing of them stays")
}
