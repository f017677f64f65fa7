package env_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

func TestDatabasesAreIndependent(t *testing.T) {
	first, second := connect(t, env.Database(t)), connect(t, env.Database(t))

	_, err := first.Exec(t.Context(), "CREATE TABLE mine (id int)")
	require.NoError(t, err)

	assert.True(t, exists(t, first, "SELECT to_regclass('mine') IS NOT NULL"))
	assert.False(t, exists(t, second, "SELECT to_regclass('mine') IS NOT NULL"), "a table of another test's database")
}

func TestDatabaseIsDroppedDespiteAConnection(t *testing.T) {
	var name string
	t.Run("the test that uses it", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), env.Database(t))
		require.NoError(t, err)
		name = conn.Config().Database
	})
	other := connect(t, env.Database(t))
	assert.False(t, exists(t, other, "SELECT count(*) > 0 FROM pg_database WHERE datname = $1", name))
}

func TestBrokerCleansUp(t *testing.T) {
	var url, prefix string
	t.Run("the test that uses it", func(t *testing.T) {
		url, prefix = env.Broker(t, "payments")
		channel := open(t, url)
		for _, queue := range []string{".replies", ".dead", ".start", ".commands.payments"} {
			_, err := channel.QueueDeclare(prefix+queue, true, false, false, false, nil)
			require.NoError(t, err)
		}
		for _, exchange := range []string{".commands", ".events", ".dead"} {
			require.NoError(t, channel.ExchangeDeclare(prefix+exchange, "direct", true, false, false, false, nil))
		}
	})
	// The broker closes a channel over an unknown name, so each question needs its own.
	for _, queue := range []string{".replies", ".dead", ".start", ".commands.payments"} {
		_, err := open(t, url).QueueDeclarePassive(prefix+queue, true, false, false, false, nil)
		assert.ErrorContains(t, err, "NOT_FOUND", queue)
	}
	for _, exchange := range []string{".commands", ".events", ".dead"} {
		err := open(t, url).ExchangeDeclarePassive(prefix+exchange, "direct", true, false, false, false, nil)
		assert.ErrorContains(t, err, "NOT_FOUND", exchange)
	}
}

func TestBrokerPrefixesDiffer(t *testing.T) {
	_, first := env.Broker(t)
	_, second := env.Broker(t)
	assert.NotEqual(t, first, second)
}

func TestWithoutServersATestFailsWithInstructions(t *testing.T) {
	for variable, use := range map[string]func(testing.TB){
		"DATABASE_URL":         func(t testing.TB) { env.Database(t) },
		"AMQP_URL":             func(t testing.TB) { env.Broker(t) },
		"TESTENV_POSTGRES_DIR": func(t testing.TB) { env.Postgres(t) },
		"TESTENV_RABBITMQ_DIR": func(t testing.TB) { env.RabbitMQ(t) },
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, "")
			probe := &recorder{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				use(probe)
			}()
			<-done
			assert.Contains(t, probe.fatal, variable+" is not set")
			assert.Contains(t, probe.fatal, "make test")
		})
	}
}

// recorder is a test that records its failure.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close(context.Background())) })
	return conn
}

func exists(t *testing.T, conn *pgx.Conn, query string, args ...any) (found bool) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), query, args...).Scan(&found))
	return found
}

func open(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	channel, err := conn.Channel()
	require.NoError(t, err)
	return channel
}
