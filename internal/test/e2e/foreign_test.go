package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// debianPython is the system's Python: Debian's packages of libraries belong to it.
const debianPython = "/usr/bin/python3"

// needPython installs a Python with an AMQP client, or fails the test.
func needPython(t *testing.T) {
	t.Helper()
	require.NoError(t, pythonInstalled(), "this test needs the Debian package python3-pika")
}

// pythonInstalled installs it once for all tests. A fresh machine may have no package lists, and another process may be
// installing at the same time.
var pythonInstalled = sync.OnceValue(func() error {
	if exec.Command(debianPython, "-c", "import pika").Run() == nil {
		return nil
	}
	for _, arguments := range [][]string{
		{"update", "-q"},
		{"install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "python3-pika"},
	} {
		install := exec.Command("apt-get", arguments...)
		install.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", arguments[0], err, output)
		}
	}
	return nil
})

func paymentsDefinition() map[string]any {
	return map[string]any{"steps": []map[string]any{{
		"name": "charge", "command": "payments.charge", "compensation": "payments.refund",
	}}}
}

func TestAWorkerInAnotherLanguageNeedsOnlyAnAMQPClient(t *testing.T) {
	t.Parallel()
	needPython(t)
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/pay", paymentsDefinition(), nil)
	start(t, fx.environment, debianPython, "testdata/worker.py")

	var small, large resource.Saga
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas?wait=15s",
		map[string]any{"definition": "pay", "data": map[string]any{"amount": 5}}, &small)
	require.Equal(t, saga.Completed, small.Status)
	require.JSONEq(t, `{"amount":5,"by":"python","key":"`+small.ID+`/charge/execute"}`, string(small.Data))
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas?wait=15s",
		map[string]any{"definition": "pay", "data": map[string]any{"amount": 500}}, &large)
	require.Equal(t, saga.Compensated, large.Status)
	require.Equal(t, "card_declined", large.Failure.Code)
}

func TestAMalformedReplyIsDeadLetteredAndStopsNoSaga(t *testing.T) {
	t.Parallel()
	needPython(t)
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/pay", paymentsDefinition(), nil)

	var waiting resource.Saga
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas",
		map[string]any{"definition": "pay", "data": map[string]any{"amount": 5}}, &waiting)
	id := waiting.ID + "/charge/execute/1"
	bodies := []string{
		"", "{", "[]", `{"status":"succeeded"} x`, `{"status":"maybe"}`, `{"status":"succeeded","error":{"code":"x"}}`,
		`{"status":"succeeded","status":"failed"}`, `{"status":"succeeded","output":{"x":"` + strings.Repeat("x", 300<<10) + `"}}`, "\xff\xfe",
	}
	fx.reply(id, bodies...)
	fx.reply("nonsense", `{"status":"succeeded"}`)
	fx.reply(waiting.ID+"/charge/execute/7", `{"status":"succeeded"}`)
	fx.reply(waiting.ID+"/other/execute/1", `{"status":"succeeded"}`)
	wanted := len(bodies) + 3

	var list struct {
		Items []struct {
			Reason string `json:"reason"`
		} `json:"items"`
	}
	require.Eventually(t, func() bool {
		a.must(http.StatusOK, http.MethodGet, "/v1/dead-letters?limit=500", nil, &list)
		return len(list.Items) == wanted
	}, 15*time.Second, 50*time.Millisecond, "every bad reply should be a dead letter")
	var now resource.Saga
	a.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+waiting.ID, nil, &now)
	require.Equal(t, waiting.Revision, now.Revision, "a bad reply must not change the saga")

	start(t, fx.environment, debianPython, "testdata/worker.py")
	require.Equal(t, saga.Completed, a.ends([]string{waiting.ID})[waiting.ID].Status)
}

// A clear verdict of a worker in another language counts, whatever its text is like.
func TestAClearVerdictCountsWhateverItsTextIsLike(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/pay", paymentsDefinition(), nil)
	for name, c := range map[string]struct {
		body, code string
		status     saga.Status
	}{
		"a long message": {`{"status":"failed","error":{"code":"card_declined","message":"` + strings.Repeat("x", 5130) + `","retryable":false}}`, "card_declined", saga.Compensated},
		"a NUL":          {`{"status":"failed","error":{"code":"card_declined","message":"\u0000","retryable":false}}`, "card_declined", saga.Compensated},
		"undecodable":    {`{"status":"failed","error":{"code":"card_declined","message":"\udcff","retryable":false}}`, "card_declined", saga.Compensated},
		"an odd error":   {`{"status":"failed","error":{"code":402,"message":{"a":1},"retryable":false}}`, "402", saga.Compensated},
		"an odd output":  {`{"status":"succeeded","output":{"x":"\u0000"}}`, saga.CodeInvalidOutput, saga.Compensating}, // the step took effect
	} {
		var started, now resource.Saga
		a.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "pay"}, &started)
		fx.reply(started.ID+"/charge/execute/1", c.body)
		require.Eventually(t, func() bool {
			a.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+started.ID, nil, &now)
			return now.Status == c.status
		}, 15*time.Second, 20*time.Millisecond, name)
		require.Equal(t, c.code, now.Failure.Code, name)
		require.Equal(t, 1, now.Steps[0].Attempts, name)
	}
}

// reply sends bodies to the reply queue as any AMQP client might.
func (fx *fixture) reply(correlationID string, bodies ...string) {
	fx.t.Helper()
	connection, err := amqp.Dial(os.Getenv("AMQP_URL"))
	require.NoError(fx.t, err)
	defer connection.Close()
	channel, err := connection.Channel()
	require.NoError(fx.t, err)
	require.NoError(fx.t, channel.Confirm(false))
	for _, body := range bodies {
		confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "", fx.prefix+".replies", true, false,
			amqp.Publishing{CorrelationId: correlationID, Body: []byte(body)})
		require.NoError(fx.t, err)
		require.True(fx.t, confirm.Wait())
	}
}
