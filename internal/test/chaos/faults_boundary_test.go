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

// boundaryFaults are what a broker, a client, an operator or a row may do that concerns some sagas: no other saga may
// wait more than ten seconds for its next step.
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

// Queues of definitions of their own, on which no worker works.
const (
	limbo  = "limbo"
	narrow = "narrow"
)

// startDoomed registers a definition whose commands go to limbo, and starts sagas of it. They have nothing in common
// with the load.
func (w *world) startDoomed(count int) []string { return w.startOf("doomed", limbo, count) }

// startOf registers a definition of one step, whose commands go to that queue, and starts sagas of it.
func (w *world) startOf(name, queue string, count int) []string {
	w.t.Helper()
	only := step("only", queue)
	only.Timeout = saga.Duration(10 * time.Minute)
	definition := &saga.Definition{Steps: []saga.Step{only}}
	w.definitions[name] = definition
	w.anyAPI(0).must(w.t, http.MethodPut, "/v1/definitions/"+name, definition, nil, http.StatusCreated)
	ids := make([]string, count)
	w.sideBySide(8, count, func(i int) { ids[i] = w.startOne(name, Data{Number: i}) })
	return ids
}

// abandon closes sagas that have no worker, and empties their queue.
func (w *world) abandon(ids []string) {
	w.t.Helper()
	w.sideBySide(8, len(ids), func(i int) {
		w.await(30*time.Second, "a doomed saga should be abandoned", func() bool {
			status, err := w.anyAPI(i).call(http.MethodPost, "/v1/sagas/"+ids[i]+"/abandon", "", map[string]string{"reason": "doomed"}, nil)
			return err == nil && (status == http.StatusOK || status == http.StatusConflict)
		})
	})
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("left in the outbox: %v", collect(w, w.sql, `select o.queue || ' ' || coalesce(s.definition || ' ' || s.status, 'no saga') ||
				' due in ' || (o.claimed_until - now())::text || ' attempts ' || o.attempts || ' ' || o.reason from outbox o left join sagas s on s.id = o.saga_id limit 5`, pgx.RowTo[string]))
		}
	})
	// Their commands go to their queues all the same, which are emptied here in place of a worker.
	w.await(90*time.Second, "the outbox should forget them", func() bool {
		for _, queue := range []string{limbo, narrow} {
			connection, channel := w.connect()
			_, _ = channel.QueuePurge(w.prefix+".commands."+queue, false) // one of them may not exist
			_ = connection.Close()
		}
		return w.count(`select count(*) from outbox where queue in ('`+limbo+`', '`+narrow+`')`) == 0
	})
}

// why returns the cause that a saga's why names.
func (w *world) why(id string) string {
	var told struct{ Cause string }
	status, err := w.anyAPI(0).call(http.MethodGet, "/v1/sagas/"+id+"/why", "", nil, &told)
	if err != nil || status != http.StatusOK {
		return fmt.Sprint(status, err)
	}
	return told.Cause
}

// poisonQueues puts messages into every queue that the orchestrator and the workers consume whose headers RabbitMQ takes
// and amqp091-go refuses to read.
func poisonQueues(w *world) int {
	whole := w.broken()
	sent := 0
	for _, queue := range []string{"replies", "start", "dead", "commands.inventory", "commands.payments"} {
		for _, kind := range []byte{'A', 'F'} {
			for range times(5, 2) {
				amqpproxy.PublishPoison(w.t, w.broker, w.prefix+"."+queue, kind, amqp.Publishing{
					MessageId: fmt.Sprint("poison-", sent), Body: []byte(`{"status":"succeeded"}`),
				})
				sent++
			}
		}
	}
	w.await(30*time.Second, "every poisoned message should be a dead letter", func() bool {
		return w.count(`select count(*) from dead_letters where body = '{"status":"succeeded"}'::bytea`) >= sent
	})
	w.let(lasting(10*time.Second, 3*time.Second))
	whole()
	return sent
}

// throughPeer leads the replicas to the broker by a peer that speaks its protocol and can be made to misbehave.
func throughPeer(w *world) {
	var err error
	w.peer, w.replicaBroker, err = amqpproxy.Start(w.broker)
	require.NoError(w.t, err)
	w.t.Cleanup(w.peer.Close)
}

func withholdConfirms(w *world) int {
	whole := w.broken()
	var withheld atomic.Int64
	w.peer.Set(withholding(&withheld))
	ids := w.startDoomed(times(500, 100))
	w.let(lasting(20*time.Second, 8*time.Second))
	require.Equal(w.t, "not_published", w.why(ids[0]))
	before := withheld.Load()
	w.let(10 * time.Second)
	require.LessOrEqual(w.t, withheld.Load()-before, int64(10*len(w.replicas)), "the queue is probed, not flooded")
	w.peer.Set(amqpproxy.Rules{})
	w.abandon(ids)
	whole()
	return int(withheld.Load())
}

// withholding lets the replicas never hear that limbo has taken a command.
func withholding(withheld *atomic.Int64) amqpproxy.Rules {
	return amqpproxy.Rules{Confirm: func(_, key string) amqpproxy.Confirmation {
		if key == limbo {
			withheld.Add(1)
		}
		return amqpproxy.Confirmation{Never: key == limbo}
	}}
}

// refuseQueue lets limbo hold nothing more than a few commands.
func refuseQueue(w *world) int {
	whole := w.broken()
	w.control(w.t, "set_policy", "tiny", "^"+w.prefix+`\.commands\.`+limbo+"$", `{"max-length":3}`, "--apply-to", "queues")
	ids := w.startDoomed(times(500, 100))
	w.let(lasting(20*time.Second, 8*time.Second))
	refused := 0
	for _, id := range ids {
		if w.why(id) == "refused_by_broker" {
			refused++
		}
	}
	w.widen()
	w.abandon(ids)
	whole()
	return refused
}

// widen lets the queues of the policy hold everything. A quorum queue of RabbitMQ 3.10 goes on with a limit whose policy
// is only cleared.
func (w *world) widen() {
	w.control(w.t, "set_policy", "tiny", "^"+w.prefix+`\.commands\.`, `{"max-length":1000000}`, "--apply-to", "queues")
	w.t.Cleanup(func() { w.control(w.t, "clear_policy", "tiny") })
}

func shuffleConfirms(w *world) int {
	whole := w.broken()
	var shuffled atomic.Int64
	w.peer.Set(amqpproxy.Rules{Confirm: func(_, _ string) amqpproxy.Confirmation {
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
	w.let(lasting(20*time.Second, 5*time.Second))
	w.peer.Set(amqpproxy.Rules{})
	whole()
	return int(shuffled.Load())
}

// closeAnywhere closes a channel or a connection at a random frame, cancels consumers, blocks and sends what is no frame.
func closeAnywhere(w *world) int {
	whole := w.broken()
	var struck atomic.Int64
	random := rand.New(rand.NewPCG(w.seed, 61))
	var mu sync.Mutex
	w.peer.Set(amqpproxy.Rules{Server: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
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
	w.let(lasting(30*time.Second, 6*time.Second))
	w.peer.Set(amqpproxy.Rules{})
	w.await(20*time.Second, "the consumers should be back", func() bool { return w.consumers("replies") == len(w.replicas) })
	whole()
	return int(struck.Load())
}

// refuseCommands has the broker refuse the commands of doomed sagas as too large for it.
func refuseCommands(w *world) int {
	whole := w.broken()
	var refused atomic.Int64
	w.peer.Set(amqpproxy.Rules{Client: func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Kind == amqpproxy.KindHeader && strings.Contains(string(f.Payload), "saga-definition") && strings.Contains(string(f.Payload), "doomed") {
			refused.Add(1)
			c.CloseChannel(f.Channel, 406, "PRECONDITION_FAILED - message size is larger than configured max size")
		}
		return []amqpproxy.Frame{f}
	}})
	ids := w.startDoomed(times(20, 5))
	w.let(lasting(20*time.Second, 8*time.Second))
	require.Equal(w.t, "refused_by_broker", w.why(ids[0]))
	w.peer.Set(amqpproxy.Rules{})
	w.abandon(ids)
	whole()
	return int(refused.Load())
}

// breakRows makes definitions and sagas unreadable, as a newer version or an edit by hand may.
func breakRows(w *world) int {
	whole := w.broken()
	ids := w.startDoomed(times(200, 40))
	exec := func(statement string) int {
		tag, err := w.sql.Exec(w.t.Context(), statement)
		require.NoError(w.t, err, statement)
		return int(tag.RowsAffected())
	}
	n := exec(`update sagas set progress = '{"s":"what is this"}', wake_at = now() where definition = 'doomed' and id < '` + ids[len(ids)/3] + `'`)
	n += exec(`update sagas set updated_at = 'infinity', wake_at = now() where definition = 'doomed' and id >= '` + ids[2*len(ids)/3] + `'`)
	n += exec(`update definitions set body = '{"steps":[{"name":"only","kind":"quantum"}]}' where name = 'doomed'`)
	exec(`update sagas set wake_at = now() where definition = 'doomed'`)
	for _, p := range w.replicas { // what they remember of the definition is gone
		p.kill()
		p.start()
	}
	w.ready()
	w.let(lasting(15*time.Second, 5*time.Second))
	for i := range w.apis {
		var list struct{ Items []map[string]any }
		w.apis[i].must(w.t, http.MethodGet, "/v1/sagas?definition=doomed&limit=500", nil, &list, http.StatusOK)
		require.Len(w.t, list.Items, len(ids))
	}
	w.abandon(ids)
	whole()
	return n
}
