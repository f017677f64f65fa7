package bench

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// orchestrator runs an orchestrator in this process, with or without the load's workers. It waits until it is ready.
func orchestrator(t *testing.T, workers bool) (url string) {
	t.Helper()
	s, err := server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Auth: "none"})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	working, end := context.WithCancel(ctx)
	var serving, work sync.WaitGroup
	serving.Go(func() { assert.NoError(t, s.Run(ctx)) })
	if workers {
		work.Go(func() { assert.NoError(t, Work(working, s.Transport(), 8, slog.New(slog.DiscardHandler))) })
	}
	t.Cleanup(func() { end(); work.Wait(); stop(); serving.Wait() })
	c := client.New(client.Config{Server: s.URL(), HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, await(ctx, readyPatience, "the orchestrator is ready", func() (bool, error) { return ready(ctx, c) }))
	return s.URL()
}

func TestAnExistingOrchestratorIsLoadedWithItsOwnWorkers(t *testing.T) {
	t.Parallel()
	var said []string
	options := Options{
		Server: orchestrator(t, true), Scenario: Scenario{Steps: 4, FailRate: 0.5},
		Load: loadtest.Load{InFlight: 4, Warmup: 50 * time.Millisecond, Duration: 300 * time.Millisecond},
		Say:  func(line string) { said = append(said, line) },
	}
	report, err := options.Run(t.Context())
	require.NoError(t, err)
	assert.Positive(t, report.Sagas)
	assert.Zero(t, report.Failed, said)
	assert.Equal(t, "fails 0.5, 4 steps", report.Variant)
	assert.Contains(t, report.Batch, "events")
	require.NotNil(t, report.Messages)
	assert.NotContains(t, report.CPU, groupPostgres, "the options name no Postgres")
	assert.NotContains(t, report.CPU, loadtest.Total)
	assert.Contains(t, strings.Join(said, "\n"), "need running workers")
}

func TestQueuesWithoutWorkersAreAnError(t *testing.T) {
	t.Parallel()
	url := orchestrator(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Options{Server: url, Scenario: Scenario{Steps: 3}}.Run(ctx)
	assert.ErrorContains(t, err, "every queue has a worker")
}

func TestAProcessThatExitsEndsTheRun(t *testing.T) {
	t.Parallel()
	script := Options{Executable: "/bin/sh"}.program("script", nil, "-c", `echo ready; echo "out of memory" >&2; exit 4`)
	p, _, err := script.Start(t.Context())
	require.NoError(t, err)
	d := &deployment{}
	d.keep(p)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	d.watch(ctx, cancel)
	<-ctx.Done()
	assert.ErrorContains(t, context.Cause(ctx), "out of memory")
	require.NoError(t, d.close(ctx))
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	good := Options{DatabaseURL: "postgres://localhost/x", AMQPURL: "amqp://localhost/", Scenario: Scenario{Steps: 3}}
	require.NoError(t, good.Validate())
	for rule, change := range map[string]func(*Options){
		"choose an orchestrator": func(o *Options) { o.AMQPURL = "" },
		"different orchestrator": func(o *Options) { o.Server, o.Embedded = "http://x", true },
		"--replicas needs":       func(o *Options) { o.Embedded, o.Replicas = true, 2 },
		"http://host:port":       func(o *Options) { o.Server = "localhost" },
		"database-url":           func(o *Options) { o.DatabaseURL = "postgres://u:secret@:x/" },
		"AMQP URL":               func(o *Options) { o.AMQPURL = "http://u:secret@localhost" },
		"queue type":             func(o *Options) { o.QueueType = "stream" },
		"101 steps":              func(o *Options) { o.Scenario.Steps = 101 },
	} {
		bad := good
		change(&bad)
		err := bad.Validate()
		require.ErrorContains(t, err, rule)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestARunHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	server := env.Database(t)
	own, drop, err := createDatabase(t.Context(), server)
	require.NoError(t, err)
	require.NoError(t, execute(t.Context(), own, "CREATE TABLE mine (id int)"))
	assert.ErrorContains(t, execute(t.Context(), server, "SELECT FROM mine"), "does not exist")
	require.NoError(t, drop(t.Context()))
	assert.ErrorContains(t, execute(t.Context(), own, "SELECT"), "does not exist")
}

func TestAnotherDatabaseInAConnectionString(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"postgres://u:p@h:5432/old?sslmode=disable&dbname=older": "postgres://u:p@h:5432/new?sslmode=disable",
		"postgresql:///old?host=/run":                            "postgresql:///new?host=%2Frun",
		"host=/run dbname=old":                                   "host=/run dbname=old dbname=new",
	} {
		assert.Equal(t, want, withDatabase(given, "new"))
	}
}

func TestTheAddressThatAnOrchestratorPrints(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"serving http://127.0.0.1:81": "http://127.0.0.1:81",
		"serving the page at http://127.0.0.1:81, docs at http://127.0.0.1:81/docs": "http://127.0.0.1:81",
		"serving http://127.0.0.1:81, docs at http://127.0.0.1:81/docs":             "http://127.0.0.1:81",
	} {
		address, found := announced(line)
		assert.True(t, found)
		assert.Equal(t, want, address)
	}
	_, found := announced("cannot listen")
	assert.False(t, found)
}
