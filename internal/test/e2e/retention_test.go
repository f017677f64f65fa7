package e2e

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// Finished sagas go, are found in the archive as the API showed them, and leave their idempotency keys for a while. Running
// ones stay. A late reply to a deleted saga is a dead letter.
func TestFinishedSagasGo(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	archived := filepath.Join(t.TempDir(), "archive")
	address := freeAddress(t)
	start(t, fx.environment, filepath.Join(fx.programs, "orchestrator"), "serve", "--migrate", "--auth", "none", "--listen", address,
		"--retain-completed", "3s", "--retain-undone", "3s", "--retain-keys", "10s", "--retention-interval", "1s", "--archive-dir", archived)
	a := &api{t: t, base: "http://" + address}
	a.ready()
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/letter", map[string]any{"steps": []any{
		map[string]any{"name": "receipt", "queue": "orders", "command": "email.receipt", "timeout": "1h"},
	}}, nil)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/waiting", map[string]any{"steps": []any{
		map[string]any{"name": "receipt", "queue": "inventory", "command": "email.receipt", "timeout": "1h"},
	}}, nil)
	fx.work(0, "orders")
	body := map[string]any{"definition": "letter"}
	begin := func(key, definition string) (int, resource.Saga) {
		var answer json.RawMessage
		status, err := a.call(http.MethodPost, "/v1/sagas", key, map[string]any{"definition": definition}, &answer)
		assert.NoError(t, err)
		var started resource.Saga
		if status < 300 {
			assert.NoError(t, json.Unmarshal(answer, &started))
		}
		return status, started
	}
	_, running := begin("running", "waiting")
	_, finished := begin("finished", "letter")
	require.NotEmpty(t, finished.ID)
	last := a.ends([]string{finished.ID})[finished.ID]
	var history resource.List[resource.HistoryEntry]
	a.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+finished.ID+"/history", nil, &history)

	gone := func(id string) func() bool {
		return func() bool {
			status, err := a.call(http.MethodGet, "/v1/sagas/"+id, "", nil, nil)
			return err == nil && status == http.StatusNotFound
		}
	}
	require.Eventually(t, gone(finished.ID), settled, 50*time.Millisecond)
	var problem resource.Problem
	status, err := a.call(http.MethodPost, "/v1/sagas", "finished", body, &problem)
	require.NoError(t, err)
	assert.Equal(t, http.StatusGone, status)
	assert.Equal(t, resource.CodeSagaGone, problem.Code)
	assert.Equal(t, finished.ID, problem.SagaID)
	assert.Equal(t, http.StatusOK, first(begin("running", "waiting")), "it is there")
	fx.inArchive(archived, last, history.Items)

	fx.replies(finished.ID + "/receipt/execute/1")
	var letters resource.List[resource.DeadLetter]
	require.Eventually(t, func() bool {
		a.must(http.StatusOK, http.MethodGet, "/v1/dead-letters", nil, &letters)
		return slices.ContainsFunc(letters.Items, func(d resource.DeadLetter) bool { return d.Reason == "unknown_saga" })
	}, settled, 50*time.Millisecond)
	assert.True(t, gone(finished.ID)(), "a late reply does not bring it back")

	require.Eventually(t, func() bool {
		status, started := begin("finished", "letter")
		return status == http.StatusCreated && started.ID != finished.ID
	}, settled, 50*time.Millisecond, "the key is free again")
	var now resource.Saga
	a.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+running.ID, nil, &now)
	assert.Equal(t, running.Status, now.Status)
}

func first[A, B any](a A, _ B) A { return a }

// inArchive checks what the command line finds.
func (fx *fixture) inArchive(directory string, last resource.Saga, history []resource.HistoryEntry) {
	fx.t.Helper()
	program := filepath.Join(fx.programs, "orchestrator")
	found, err := exec.Command(program, "archive", "find", last.ID, "--archive-dir", directory).Output()
	require.NoError(fx.t, err)
	lines := strings.Split(strings.TrimSpace(string(found)), "\n")
	require.Len(fx.t, lines, 1)
	wanted, err := json.Marshal(map[string]any{"saga": last, "history": history})
	require.NoError(fx.t, err)
	assert.JSONEq(fx.t, string(wanted), lines[0])
	err = exec.Command(program, "archive", "find", "01J00000000000000000000000", "--archive-dir", directory).Run()
	var exit *exec.ExitError
	require.ErrorAs(fx.t, err, &exit)
	assert.Equal(fx.t, 1, exit.ExitCode())
}

// replies sends the success of a command, as a worker would.
func (fx *fixture) replies(command string) {
	fx.t.Helper()
	conn, err := amqp.Dial(fx.amqpURL())
	require.NoError(fx.t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(fx.t, err)
	require.NoError(fx.t, channel.PublishWithContext(fx.t.Context(), "", fx.prefix+".replies", true, false, amqp.Publishing{
		CorrelationId: command, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(`{"status":"succeeded"}`),
	}))
}
