package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	neturl "net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store"
)

// diagnose runs doctor and returns its exit code and the status of each check.
func diagnose(t *testing.T, url, amqpURL, prefix string, more ...string) (code int, status map[string]string) {
	t.Helper()
	r := execute(t, "", append([]string{"doctor", "--database-url", url, "--amqp-url", amqpURL, "--amqp-prefix", prefix, "--output", "json"}, more...)...)
	var report struct{ Findings []finding }
	require.NoError(t, json.Unmarshal([]byte(r.out), &report), "%s %s", r.out, r.err)
	status = make(map[string]string)
	for _, f := range report.Findings {
		status[f.Check] = f.Status
		assert.Equal(t, f.Status == "ok", f.Advice == "", "%+v", f)
		assert.NotContains(t, f.Found+f.Advice, "guest:guest")
	}
	return r.code, status
}

func TestTheDoctorFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	amqpURL, prefix := env.Broker(t, "stock")
	code, status := diagnose(t, url, amqpURL, prefix)
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, "ok", status["database"])
	assert.Equal(t, "ok", status["clocks"])
	assert.Equal(t, "fail", status["schema"])
	assert.Equal(t, "ok", status["broker"])
	assert.Equal(t, "fail", status["queue "+prefix+".replies"])

	require.NoError(t, store.Migrate(t.Context(), url))
	_, status = diagnose(t, url, amqpURL, prefix)
	assert.Equal(t, "ok", status["schema"])
	assert.Equal(t, "ok", status["outbox"])
	for _, check := range []string{"rights", "connections", "autovacuum", "broker rights", "broker limits"} {
		assert.Equal(t, "ok", status[check], check)
	}
	broker, err := amqp.Dial(amqpURL)
	require.NoError(t, err)
	defer broker.Close()
	d := &diagnosis{}
	d.probe(t.Context(), broker, "amq") // the broker reserves these names
	require.Len(t, d.findings, 1)
	assert.Equal(t, []string{"broker rights", "fail"}, []string{d.findings[0].Check, d.findings[0].Status})
	assert.Equal(t, "ok", status["sagas"])

	code, status = diagnose(t, "postgres://127.0.0.1:1/x", "amqp://guest:guest@127.0.0.1:1/", prefix)
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, map[string]string{"database": "fail", "broker": "fail"}, status)
	assert.Equal(t, exitUsage, execute(t, "", "doctor", "--database-url", "", "--amqp-url", amqpURL).code)
}

func TestTheDoctorFindsMissingRights(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	amqpURL, prefix := env.Broker(t)
	require.NoError(t, store.Migrate(t.Context(), url))
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	role := "doctor_" + strings.ToLower(rand.Text())
	_, err = conn.Exec(t.Context(), `create role `+role+` login password 'x' connection limit 25; grant select, insert, update, delete on all tables in schema public to `+role+`;
		revoke update on outbox from `+role)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), `drop owned by `+role+`; drop role `+role)
		assert.NoError(t, err)
		assert.NoError(t, conn.Close(context.Background()))
	})
	as, err := neturl.Parse(url)
	require.NoError(t, err)
	as.User = neturl.UserPassword(role, "x")
	code, status := diagnose(t, as.String(), amqpURL, prefix)
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, "ok", status["schema"])
	assert.Equal(t, "fail", status["rights"])
}

func TestTheDoctorFindsQueuesWithoutConsumers(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	amqpURL, prefix := env.Broker(t, "stock", "orders", "mail")
	c := serveFor(t, url, amqpURL, prefix)
	c.done("definitions", "put", "order", "-")
	require.Eventually(t, func() bool {
		code, status := diagnose(t, url, amqpURL, prefix)
		return code == exitDone && status["queue "+prefix+".replies"] == "ok" && status["queue stock"] == "warn" && status["prefix"] == "ok"
	}, 30*time.Second, 100*time.Millisecond)

	other := env.Database(t)
	require.NoError(t, store.Migrate(t.Context(), other))
	_, status := diagnose(t, other, amqpURL, prefix)
	assert.Equal(t, "fail", status["prefix"])
	free := prefix + "-free"
	_, status = diagnose(t, other, amqpURL, free)
	assert.Equal(t, "ok", status["prefix"])
	_, status = diagnose(t, url, amqpURL, free)
	assert.Equal(t, "ok", status["prefix"], "the doctor has not claimed it for the other installation")
}

// What exists with other properties is used as it is: the doctor names it, as readyz does, and declares nothing itself.
func TestTheDoctorNamesWhatHasOtherProperties(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	amqpURL, prefix := env.Broker(t, "stock", "orders", "mail")
	broker, err := amqp.Dial(amqpURL)
	require.NoError(t, err)
	defer broker.Close()
	channel, err := broker.Channel()
	require.NoError(t, err)
	_, status := diagnose(t, url, amqpURL, prefix)
	assert.Equal(t, "ok", status["properties"], "nothing exists")
	require.NoError(t, channel.ExchangeDeclare(prefix+".events", "fanout", true, false, false, false, nil))
	_, err = channel.QueueDeclare(prefix+".commands.stock", true, false, false, false, nil)
	require.NoError(t, err)
	serveFor(t, url, amqpURL, prefix).done("definitions", "put", "order", "-")
	var doctored map[string]string
	require.Eventually(t, func() bool {
		_, doctored = diagnose(t, url, amqpURL, prefix)
		return doctored["queue "+prefix+".replies"] == "ok"
	}, 30*time.Second, 100*time.Millisecond)
	assert.Equal(t, "warn", doctored["properties of exchange "+prefix+".events"])
	assert.Equal(t, "warn", doctored["properties of queue "+prefix+".commands.stock"])
	assert.NotContains(t, doctored, "properties")
	assert.NotContains(t, doctored, "properties of queue "+prefix+".commands.orders")

	_, classic := diagnose(t, url, amqpURL, prefix, "--queue-type", "classic")
	assert.Equal(t, "warn", classic["properties of queue "+prefix+".replies"], "serve has another type")
}

func TestTheDoctorSaysThatAQueueIsLocked(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	amqpURL, prefix := env.Broker(t, "stock", "orders", "mail")
	broker, err := amqp.Dial(amqpURL)
	require.NoError(t, err)
	defer broker.Close()
	channel, err := broker.Channel()
	require.NoError(t, err)
	_, err = channel.QueueDeclare(prefix+".commands.stock", false, false, true, false, nil)
	require.NoError(t, err)
	serveFor(t, url, amqpURL, prefix).done("definitions", "put", "order", "-")
	r := execute(t, "", "doctor", "--database-url", url, "--amqp-url", amqpURL, "--amqp-prefix", prefix, "--output", "json")
	var report struct{ Findings []finding }
	require.NoError(t, json.Unmarshal([]byte(r.out), &report), "%s %s", r.out, r.err)
	for _, f := range report.Findings {
		if f.Check == "queue stock" {
			assert.Equal(t, []string{"fail", unlock}, []string{f.Status, f.Advice})
			assert.Contains(t, f.Found, "RESOURCE_LOCKED")
			return
		}
	}
	assert.Fail(t, "the queue was not checked")
}

// serveFor runs an orchestrator on real servers until the test ends.
func serveFor(t *testing.T, url, amqpURL, prefix string) terminal {
	t.Helper()
	running, err := server.Open(t.Context(), server.Config{
		DatabaseURL: url, AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true, Listen: "127.0.0.1:0", Auth: "none",
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { assert.NoError(t, running.Run(ctx)) })
	t.Cleanup(func() { stop(); parts.Wait() })
	return terminal{t: t, url: running.URL()}
}

func TestTheDoctorFindsABrokerThatDeadLettersNothing(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	broker, _ := env.OwnBroker(t)
	_, status := diagnose(t, url, broker, "saga")
	assert.Equal(t, "ok", status["dead-lettering"])
	env.EndDeadLettering(t, broker)
	require.Eventually(t, func() bool {
		_, status = diagnose(t, url, broker, "saga")
		return status["dead-lettering"] == "fail"
	}, time.Minute, 100*time.Millisecond)
}
