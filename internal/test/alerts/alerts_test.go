package alerts_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/server"
)

const (
	oneStep = `{"steps":[{"name":"do","command":"work.do"}]}`
	order   = `{"definition":"order"}`
)

// healthy returns two scrapes of a server that works, between which its counters have grown.
func healthy(t *testing.T, s *server.Server) (first, second scrape) {
	t.Helper()
	first = until(t, s, map[string]func(float64) bool{
		"saga_database_connected": equal(1), "saga_broker_connected": equal(1), "saga_queue_unhealthy": equal(0),
		`saga_retention_rounds_total{outcome="completed"}`: above(0),
	})
	rounds := first.total(`saga_retention_rounds_total{outcome="completed"}`)
	return first, until(t, s, map[string]func(float64) bool{`saga_retention_rounds_total{outcome="completed"}`: above(rounds)})
}

func settings() server.Config {
	return server.Config{RetentionInterval: time.Second, HealthConfig: server.HealthConfig{HealthInterval: time.Second}}
}

func TestNoAlertFiresOnAHealthyServer(t *testing.T) {
	t.Parallel()
	config := settings()
	config.SimulateWorkers = true
	s, _ := serving(t, config)
	create(t, http.MethodPut, s.URL()+"/v1/definitions/order", oneStep)
	create(t, http.MethodPost, s.URL()+"/v1/sagas?wait=20s", order)
	first, second := healthy(t, s)
	for range 3 {
		create(t, http.MethodPost, s.URL()+"/v1/sagas?wait=20s", order)
	}
	evaluated(t, timeline{first, second, scraped(t, s)}, nil)
}

// onServers is a server on Postgres and RabbitMQ, behind proxies that can be taken down.
type onServers struct {
	*server.Server
	database           string // past the proxy
	broker, prefix     string // past the proxy
	toDatabase, toAMQP *proxy.Proxy
	first, second      scrape
}

func newOnServers(t *testing.T, change func(*server.Config)) *onServers {
	t.Helper()
	fx := &onServers{database: env.Database(t)}
	fx.broker, fx.prefix = env.Broker(t, "work")
	config := settings()
	config.Migrate, config.AMQPPrefix = true, fx.prefix
	var err error
	fx.toDatabase, config.DatabaseURL, err = proxy.Start(fx.database)
	require.NoError(t, err)
	t.Cleanup(fx.toDatabase.Close)
	fx.toAMQP, config.AMQPURL, err = proxy.Start(fx.broker)
	require.NoError(t, err)
	t.Cleanup(fx.toAMQP.Close)
	if change != nil {
		change(&config)
	}
	fx.Server, _ = serving(t, config)
	create(t, http.MethodPut, fx.URL()+"/v1/definitions/order", oneStep)
	fx.first, fx.second = healthy(t, fx.Server)
	return fx
}

func (fx *onServers) execute(t *testing.T, statement string) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), fx.database)
	require.NoError(t, err)
	done, err := connection.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.Positive(t, done.RowsAffected())
	require.NoError(t, connection.Close(t.Context()))
}

func TestAlertsOfWorkThatIsNotDone(t *testing.T) {
	t.Parallel()
	fx := newOnServers(t, func(c *server.Config) { c.OverdueAfter = time.Second })
	create(t, http.MethodPost, fx.URL()+"/v1/sagas", order)
	third := until(t, fx.Server, map[string]func(float64) bool{
		`saga_attention{reason="overdue"}`: above(0), `saga_sagas{status="running"}`: above(0), "saga_queue_unhealthy": equal(1),
		"saga_queue_commands_out": above(0), "saga_queue_consumers": equal(0),
	})
	evaluated(t, timeline{fx.first, fx.second, third}, firing{
		10: {"SagasNeedAttention", "QueueUnhealthy", "QueueWithoutConsumer"}, 45: {"SagasDoNotFinish"},
	})
}

func TestAlertsOfMessagesAndRowsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	fx := newOnServers(t, nil)
	connection, err := amqp.Dial(fx.broker)
	require.NoError(t, err)
	defer connection.Close()
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.PublishWithContext(t.Context(), "", fx.prefix+".start", true, false, amqp.Publishing{Body: []byte("{")}))
	create(t, http.MethodPost, fx.URL()+"/v1/sagas", order)
	fx.execute(t, `update sagas set progress = '{"s":"what is this"}'`)
	fx.execute(t, `delete from audit_chain`)
	fx.execute(t, `insert into audit_waiting (at, entries) values (now() - interval '10 minutes', '[]')`)
	fx.execute(t, `insert into events (sink, at, subject, seq, type, definition, data) values ('kafka', now() - interval '10 minutes', 's', 1, 't', '', '{}')`)
	third := until(t, fx.Server, map[string]func(float64) bool{
		`saga_dead_letters{source="start"}`: above(0), "saga_unreadable_sagas": above(0), "saga_audit_oldest_seconds": above(60),
		`saga_events_oldest_seconds{sink="kafka"}`: above(60),
	})
	evaluated(t, timeline{fx.first, fx.second, third}, firing{5: {"DeadLettersCome"}, 10: {"UnreadableRows", "AuditLogStalls", "EventsStall"}})
}

func TestAlertsOfServersThatAreAway(t *testing.T) {
	t.Parallel()
	fx := newOnServers(t, nil)
	fx.toAMQP.Down()
	create(t, http.MethodPost, fx.URL()+"/v1/sagas", order)
	fx.execute(t, `update outbox set created_at = created_at - interval '10 minutes'`)
	third := until(t, fx.Server, map[string]func(float64) bool{"saga_broker_connected": equal(0), "saga_outbox_oldest_seconds": above(60)})
	evaluated(t, timeline{fx.first, fx.second, third}, firing{5: {"BrokerDisconnected", "OutboxOld"}})
	fx.toDatabase.Down()
	third = until(t, fx.Server, map[string]func(float64) bool{"saga_database_connected": equal(0)})
	evaluated(t, timeline{fx.first, fx.second, third}, firing{5: {"DatabaseDisconnected"}})
}

func TestTheAlertOfABrokerThatDeadLettersNothing(t *testing.T) {
	t.Parallel()
	config := settings()
	config.DatabaseURL, config.Migrate = env.Database(t), true
	config.AMQPURL, _ = env.OwnBroker(t)
	s, _ := serving(t, config)
	create(t, http.MethodPut, s.URL()+"/v1/definitions/order", oneStep)
	first, second := healthy(t, s)
	env.EndDeadLettering(t, config.AMQPURL)
	third := until(t, s, map[string]func(float64) bool{"saga_broker_dead_lettering": equal(0), "saga_broker_connected": equal(1)})
	evaluated(t, timeline{first, second, third}, firing{5: {"DeadLetteringStopped"}})
	status, details := request(t, http.MethodGet, s.URL()+"/readyz?verbose", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, details, `"dead_lettering":"stopped"`)
}

// A lease that a replica holds and does not give back keeps all others from deleting.
func TestTheAlertOfRetentionThatStalls(t *testing.T) {
	t.Parallel()
	fx := newOnServers(t, nil)
	fx.execute(t, `update leases set holder = 'a replica that hangs', claimed_until = now() + interval '1 day' where name = 'retention'`)
	evaluated(t, timeline{fx.first, fx.second, scraped(t, fx.Server)}, firing{60: {"RetentionStalls"}})
}

// A start that is due while no replica runs comes late.
func TestTheAlertsOfAStoppedServer(t *testing.T) {
	t.Parallel()
	config := settings()
	config.File = t.TempDir() + "/state.db"
	s, end := serving(t, config)
	create(t, http.MethodPut, s.URL()+"/v1/definitions/order", oneStep)
	first, second := healthy(t, s)
	due := time.Now().Add(5 * time.Second)
	create(t, http.MethodPost, s.URL()+"/v1/sagas",
		`{"definition":"order","start_at":"`+due.UTC().Format(time.RFC3339Nano)+`"}`)
	end()
	evaluated(t, timeline{first, second, nil}, firing{10: {"OrchestratorAbsent"}})
	require.Eventually(t, func() bool { return time.Since(due) > 8*time.Second }, patience, 100*time.Millisecond)
	s, _ = serving(t, config)
	third := until(t, s, map[string]func(float64) bool{"saga_timer_lateness_seconds_sum": above(8)})
	evaluated(t, timeline{first, second, third}, firing{4: {"TimersLate"}})
}
