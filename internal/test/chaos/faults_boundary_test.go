package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// boundaryFaults are faults of a broker, a client, an operator or a row that affect some sagas. No other saga may wait
// more than ten seconds for its next step.
func boundaryFaults() []scenario {
	isolated := limits{slowest: 10 * time.Second, stall: 5 * time.Second}
	return []scenario{
		{number: 57, name: "poison messages in every consumed queue", short: true, inject: poisonQueues, expect: isolated},
		{number: 58, name: "a queue accepts messages without confirming them", short: true, inject: withholdConfirms, arrange: throughPeer, expect: isolated},
		{number: 59, name: "a queue refuses every command", inject: refuseQueue, expect: isolated},
		{number: 60, name: "confirms are late, reordered or negative", inject: shuffleConfirms, arrange: throughPeer, expect: isolated},
		{number: 61, name: "the broker closes channels and connections at any point", short: true, inject: closeAnywhere, arrange: throughPeer},
		{number: 62, name: "the broker refuses single commands", inject: refuseCommands, arrange: throughPeer, expect: isolated},
		{number: 63, name: "unreadable definitions and rows", short: true, inject: breakRows, expect: isolated, damaged: true},
	}
}

// Queues of the scenarios' own definitions, without workers.
const (
	limbo  = "limbo"
	narrow = "narrow"
)

// startDoomed registers a definition whose commands go to limbo, and starts sagas of it. They share nothing with the
// load.
func (fx *fixture) startDoomed(count int) []string { return fx.startOf("doomed", limbo, count) }

// startOf registers a definition of one step with that queue, and starts sagas of it.
func (fx *fixture) startOf(name, queue string, count int) []string {
	fx.t.Helper()
	only := step("only", queue)
	only.Timeout = saga.Duration(10 * time.Minute)
	definition := &saga.Definition{Steps: []saga.Step{only}}
	fx.definitions[name] = definition
	fx.anyAPI(0).must(fx.t, http.MethodPut, "/v1/definitions/"+name, definition, nil, http.StatusCreated)
	ids := make([]string, count)
	fx.sideBySide(8, count, func(i int) { ids[i] = fx.startOne(name, Data{Number: i}) })
	return ids
}

// abandon closes sagas without a worker, and empties their queue.
func (fx *fixture) abandon(ids []string) {
	fx.t.Helper()
	fx.sideBySide(8, len(ids), func(i int) {
		fx.await(30*time.Second, "a doomed saga should be abandoned", func() bool {
			status, err := fx.anyAPI(i).call(http.MethodPost, "/v1/sagas/"+ids[i]+"/abandon", "", map[string]string{"reason": "doomed"}, nil)
			return err == nil && (status == http.StatusOK || status == http.StatusConflict)
		})
	})
	fx.t.Cleanup(func() {
		if fx.t.Failed() {
			fx.t.Logf("left in the outbox: %v", collect(fx, fx.sql, `select o.queue || ' ' || coalesce(s.definition || ' ' || s.status, 'no saga') ||
				' due in ' || (o.claimed_until - now())::text || ' attempts ' || o.attempts || ' ' || o.reason from outbox o left join sagas s on s.id = o.saga_id limit 5`, pgx.RowTo[string]))
		}
	})
	// Their commands are still published; the queue is emptied here, in place of a worker.
	fx.await(90*time.Second, "the outbox should become empty", func() bool {
		for _, queue := range []string{limbo, narrow} {
			connection, channel := fx.connect()
			_, _ = channel.QueuePurge(fx.prefix+".commands."+queue, false) // one of the queues may not exist
			_ = connection.Close()
		}
		return fx.count(`select count(*) from outbox where queue in ('`+limbo+`', '`+narrow+`')`) == 0
	})
}

// why returns the cause that a saga's why names.
func (fx *fixture) why(id string) string {
	var told struct{ Cause string }
	status, err := fx.anyAPI(0).call(http.MethodGet, "/v1/sagas/"+id+"/why", "", nil, &told)
	if err != nil || status != http.StatusOK {
		return fmt.Sprint(status, err)
	}
	return told.Cause
}

// poisonQueues publishes messages to every consumed queue whose headers RabbitMQ accepts and amqp091-go refuses to
// read.
func poisonQueues(fx *fixture) int {
	whole := fx.broken()
	sent := 0
	for _, queue := range []string{"replies", "start", "dead", "commands.inventory", "commands.payments"} {
		for _, kind := range []byte{'A', 'F'} {
			for range times(5, 2) {
				amqpproxy.PublishPoison(fx.t, fx.broker, fx.prefix+"."+queue, kind, amqp.Publishing{
					MessageId: fmt.Sprint("poison-", sent), Body: []byte(`{"status":"succeeded"}`),
				})
				sent++
			}
		}
	}
	fx.await(30*time.Second, "every poisoned message should be a dead letter", func() bool {
		return fx.count(`select count(*) from dead_letters where body = '{"status":"succeeded"}'::bytea`) >= sent
	})
	fx.let(lasting(10*time.Second, 3*time.Second))
	whole()
	return sent
}

// throughPeer connects the replicas to the broker through a hostile peer.
func throughPeer(fx *fixture) {
	var err error
	fx.peer, fx.replicaBroker, err = amqpproxy.Start(fx.broker)
	require.NoError(fx.t, err)
	fx.t.Cleanup(fx.peer.Close)
}

func withholdConfirms(fx *fixture) int {
	whole := fx.broken()
	var withheld atomic.Int64
	fx.peer.Set(withholding(&withheld))
	ids := fx.startDoomed(times(500, 100))
	fx.let(lasting(20*time.Second, 8*time.Second))
	require.Equal(fx.t, "not_published", fx.why(ids[0]))
	before := withheld.Load()
	fx.let(10 * time.Second)
	require.LessOrEqual(fx.t, withheld.Load()-before, int64(10*len(fx.replicas)), "the queue is probed, not flooded")
	fx.peer.Set(amqpproxy.Rules{})
	fx.abandon(ids)
	whole()
	return int(withheld.Load())
}

// withholding drops the confirms of limbo's commands.
func withholding(withheld *atomic.Int64) amqpproxy.Rules {
	return amqpproxy.Rules{Confirm: func(_, key string) amqpproxy.Confirmation {
		if key == limbo {
			withheld.Add(1)
		}
		return amqpproxy.Confirmation{Never: key == limbo}
	}}
}

// refuseQueue limits limbo to a few commands.
func refuseQueue(fx *fixture) int {
	whole := fx.broken()
	fx.control(fx.t, "set_policy", "tiny", "^"+fx.prefix+`\.commands\.`+limbo+"$", `{"max-length":3}`, "--apply-to", "queues")
	ids := fx.startDoomed(times(500, 100))
	fx.let(lasting(20*time.Second, 8*time.Second))
	refused := 0
	for _, id := range ids {
		if fx.why(id) == "refused_by_broker" {
			refused++
		}
	}
	fx.widen()
	fx.abandon(ids)
	whole()
	return refused
}

// widen removes the limit of the policy's queues. On RabbitMQ 3.10 a quorum queue keeps the limit of a policy that is
// only cleared.
func (fx *fixture) widen() {
	fx.control(fx.t, "set_policy", "tiny", "^"+fx.prefix+`\.commands\.`, `{"max-length":1000000}`, "--apply-to", "queues")
	fx.t.Cleanup(func() { fx.control(fx.t, "clear_policy", "tiny") })
}

func shuffleConfirms(fx *fixture) int {
	whole := fx.broken()
	var shuffled atomic.Int64
	fx.peer.Set(amqpproxy.Rules{Confirm: func(_, _ string) amqpproxy.Confirmation {
		switch dice := rand.Float64(); {
		case dice < 0.3:
			shuffled.Add(1)
			return amqpproxy.Confirmation{After: rand.N(400 * time.Millisecond)}
		case dice < 0.32:
			shuffled.Add(1)
			return amqpproxy.Confirmation{Negative: true} // it is in its queue all the same
		default:
			return amqpproxy.Confirmation{}
		}
	}})
	fx.let(lasting(20*time.Second, 5*time.Second))
	fx.peer.Set(amqpproxy.Rules{})
	whole()
	return int(shuffled.Load())
}

// closeAnywhere closes a channel or a connection at a random frame, cancels consumers, blocks, and sends invalid
// frames.
func closeAnywhere(fx *fixture) int {
	whole := fx.broken()
	var struck atomic.Int64
	random := rand.New(rand.NewPCG(fx.seed, 61))
	var mu sync.Mutex
	fx.peer.Set(amqpproxy.Rules{Server: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		mu.Lock()
		dice, kind := random.Float64(), random.IntN(6)
		mu.Unlock()
		if dice > 0.002 || f.Kind == amqpproxy.KindHeartbeat {
			return []amqpproxy.Frame{f}
		}
		struck.Add(1)
		switch {
		case kind == 0 && f.Channel > 0:
			c.CloseChannel(f.Channel, 541, "INTERNAL_ERROR")
		case kind == 1:
			c.Send(amqpproxy.CloseConnection(320, "CONNECTION_FORCED"))
		case kind == 2:
			c.Cut()
			return nil
		case kind == 3 && f.Channel > 0:
			c.Send(amqpproxy.CancelConsumer(f.Channel, "orchestrator"))
		case kind == 4:
			c.SendRaw([]byte("\x01\x00\x00\x00\x00\x00\x01\xff\x00"))
		default:
			c.Send(amqpproxy.CloseConnection(541, "INTERNAL_ERROR"))
		}
		return []amqpproxy.Frame{f}
	}})
	fx.let(lasting(30*time.Second, 6*time.Second))
	fx.await(time.Minute, "a fault should happen", func() bool { return struck.Load() > 0 }) // few frames come on a busy machine
	fx.peer.Set(amqpproxy.Rules{})
	fx.await(20*time.Second, "the consumers should be back", func() bool { return fx.consumers("replies") == len(fx.replicas) })
	whole()
	return int(struck.Load())
}

// refuseCommands makes the broker refuse the commands of doomed sagas as too large.
func refuseCommands(fx *fixture) int {
	whole := fx.broken()
	var refused atomic.Int64
	fx.peer.Set(amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Kind == amqpproxy.KindHeader && strings.Contains(string(f.Payload), "saga-definition") && strings.Contains(string(f.Payload), "doomed") {
			refused.Add(1)
			c.CloseChannel(f.Channel, 406, "PRECONDITION_FAILED - message size is larger than configured max size")
		}
		return []amqpproxy.Frame{f}
	}})
	ids := fx.startDoomed(times(20, 5))
	fx.let(lasting(20*time.Second, 8*time.Second))
	require.Equal(fx.t, "refused_by_broker", fx.why(ids[0]))
	fx.peer.Set(amqpproxy.Rules{})
	fx.abandon(ids)
	whole()
	return int(refused.Load())
}

// breakRows makes definitions and sagas unreadable, as a newer version or an edit by hand may.
func breakRows(fx *fixture) int {
	whole := fx.broken()
	ids := fx.startDoomed(times(200, 40))
	exec := func(statement string) int {
		tag, err := fx.sql.Exec(fx.t.Context(), statement)
		require.NoError(fx.t, err, statement)
		return int(tag.RowsAffected())
	}
	n := exec(`update sagas set progress = '{"s":"unknown"}', wake_at = now() where definition = 'doomed' and id < '` + ids[len(ids)/3] + `'`)
	n += exec(`update sagas set updated_at = 'infinity', wake_at = now() where definition = 'doomed' and id >= '` + ids[2*len(ids)/3] + `'`)
	n += exec(`update definitions set body = '{"steps":[{"name":"only","kind":"quantum"}]}' where name = 'doomed'`)
	exec(`update sagas set wake_at = now() where definition = 'doomed'`)
	for _, p := range fx.replicas { // which clears their caches of definitions
		p.kill()
		p.start()
	}
	fx.ready()
	fx.let(lasting(15*time.Second, 5*time.Second))
	for i := range fx.apis {
		var list struct{ Items []map[string]any }
		fx.apis[i].must(fx.t, http.MethodGet, "/v1/sagas?definition=doomed&limit=500", nil, &list, http.StatusOK)
		require.Len(fx.t, list.Items, len(ids))
	}
	fx.abandon(ids)
	whole()
	return n
}
