package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/workercheck"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// A worker without a barrier, which does its work again for every delivery.
func TestWorkerCheckPrintsAVerdictForEachPointAndFails(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "payments")
	broker := rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix})
	require.Eventually(t, func() bool { return broker.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, broker.DeclareQueues(t.Context(), []string{"payments"}))
	require.NoError(t, broker.Close(context.Background()))
	w := steps.NewWorker("payments", steps.Config{})
	answer := func(_ context.Context, cmd steps.Command[any]) (map[string]string, error) {
		return map[string]string{"by": cmd.ID, "at": time.Now().String()}, nil
	}
	steps.Handle(w, "payments.charge", answer)
	steps.Handle(w, "payments.refund", answer)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix})) }()

	line := []string{
		"worker", "check", "--amqp-url", url, "--amqp-prefix", prefix, "--queue", "payments", "--command", "payments.charge",
		"--compensation", "payments.refund", "--data", `{"amount":5}`, "--timeout", "10s",
	}
	table := execute(t, "", line...)
	assert.Equal(t, exitFailed, table.code)
	assert.Contains(t, table.out, "POINT")
	assert.Contains(t, table.err, "points failed")
	both := execute(t, "", append(line, "--output", "json")...)
	assert.Equal(t, exitFailed, both.code)
	var report workercheck.Report
	require.NoError(t, json.Unmarshal([]byte(both.out), &report), both.out)
	assert.Equal(t, workercheck.Verdict{Point: "replies", Grade: workercheck.Pass, Seen: report.Verdicts[0].Seen}, report.Verdicts[0])
	assert.Positive(t, report.Count(workercheck.Fail))
	assert.NotEmpty(t, report.Sagas)
	cancel()
	require.NoError(t, <-done)
}

func TestWorkerCheckRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	right := []string{"worker", "check", "--amqp-url", "amqp://guest:guest@127.0.0.1:1/", "--queue", "q", "--command", "c"}
	assert.Equal(t, exitFailed, execute(t, "", right...).code, "the broker is missing")
	for _, wrong := range [][]string{
		{"--data", "[]"}, {"--data", "{"}, {"--timeout", "0s"}, {"--timeout", "1h"}, {"--amqp-prefix", "amq"}, {"--output", "xml"}, {"--amqp-url", "nonsense"},
	} {
		assert.Equal(t, exitUsage, execute(t, "", append(slices.Clip(right), wrong...)...).code, wrong)
	}
	assert.Equal(t, exitUsage, execute(t, "", right[:6]...).code, "no command")
}
