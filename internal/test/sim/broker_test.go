package sim_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/sim"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// broker is what the simulated broker and RabbitMQ have in common.
type broker interface {
	Declare(queue string)
	Publish(commands ...wire.Command) []wire.Receipt
	Take(queue string) (wire.Message, func(wire.Answer))
	TakeReply() (wire.Message, func(bool))
	TakeDead() (wire.Message, func(bool))
}

const (
	brokerQueue = "payments"
	patience    = 30 * time.Second // a real broker on a busy machine may be slow
)

// The simulated broker and RabbitMQ pass the same tests.
func TestTheSimulatedBrokerAndRabbitMQKeepTheSameRules(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(*testing.T) broker{
		"simulated": func(t *testing.T) broker {
			t.Helper()
			b := sim.NewBroker()
			t.Cleanup(b.Close)
			return b
		},
		"RabbitMQ": func(t *testing.T) broker { t.Helper(); return newRabbit(t) },
	}
	rules := map[string]func(*testing.T, broker){
		"a command without a queue is returned":           withoutQueueReturned,
		"a confirmed command is delivered":                confirmedIsThere,
		"a requeued command is redelivered up to a limit": givenBackComesAgain,
		"a rejected command is dead-lettered":             rejectedIsDeadLetter,
		"an unsettled reply is redelivered":               replyComesAgain,
	}
	for name, open := range brokers {
		for rule, test := range rules {
			t.Run(name+"/"+rule, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

func brokerCommand(n int) wire.Command {
	return wire.Command{
		ID:         saga.CommandID{Saga: fmt.Sprintf("saga-%d", n), Step: "s", Direction: saga.Execute, Round: 1, Attempt: 1},
		Definition: "d", Version: 1, Name: "payments.charge", Queue: brokerQueue, Timeout: time.Minute, Body: []byte(`{"data":{}}`),
	}
}

func withoutQueueReturned(t *testing.T, b broker) {
	t.Helper()
	require.Equal(t, wire.Returned, b.Publish(brokerCommand(1))[0].Outcome)
	b.Declare(brokerQueue)
	require.Equal(t, wire.Confirmed, b.Publish(brokerCommand(1))[0].Outcome)
}

func confirmedIsThere(t *testing.T, b broker) {
	t.Helper()
	b.Declare(brokerQueue)
	commands := []wire.Command{brokerCommand(1), brokerCommand(2), brokerCommand(3)}
	want := map[string]bool{}
	for i, receipt := range b.Publish(commands...) {
		require.Equal(t, wire.Confirmed, receipt.Outcome)
		want[commands[i].ID.String()] = true
	}
	for range commands {
		message, settle := b.Take(brokerQueue)
		settle(wire.Answer{Settlement: wire.Dropped})
		assert.Equal(t, "payments.charge", message.Type)
		assert.False(t, message.Redelivered)
		delete(want, message.CorrelationID)
	}
	require.Empty(t, want)
}

func givenBackComesAgain(t *testing.T, b broker) {
	t.Helper()
	b.Declare(brokerQueue)
	require.Equal(t, wire.Confirmed, b.Publish(brokerCommand(1))[0].Outcome)
	for n := range sim.DeliveryLimit + 1 {
		message, settle := b.Take(brokerQueue)
		require.Equal(t, n > 0, message.Redelivered)
		settle(wire.Answer{Settlement: wire.Requeued})
	}
	requireDead(t, b, "delivery_limit")
}

func rejectedIsDeadLetter(t *testing.T, b broker) {
	t.Helper()
	b.Declare(brokerQueue)
	require.Equal(t, wire.Confirmed, b.Publish(brokerCommand(1))[0].Outcome)
	_, reject := b.Take(brokerQueue)
	reject(wire.Answer{Settlement: wire.Rejected})
	requireDead(t, b, "rejected")
}

// requireDead takes the dead letter of the first command and checks why it died.
func requireDead(t *testing.T, b broker, reason string) {
	t.Helper()
	letter, settle := b.TakeDead()
	settle(true)
	assert.Equal(t, brokerCommand(1).ID.String(), letter.MessageID)
	assert.Equal(t, reason, letter.Headers["x-first-death-reason"])
}

func replyComesAgain(t *testing.T, b broker) {
	t.Helper()
	b.Declare(brokerQueue)
	require.Equal(t, wire.Confirmed, b.Publish(brokerCommand(1))[0].Outcome)
	_, answer := b.Take(brokerQueue)
	answer(wire.Answer{Settlement: wire.Replied, Reply: []byte(`{"status":"succeeded"}`)})
	for n := range 2 {
		reply, settle := b.TakeReply()
		assert.Equal(t, brokerCommand(1).ID.String(), reply.CorrelationID)
		assert.JSONEq(t, `{"status":"succeeded"}`, string(reply.Body))
		assert.Equal(t, n > 0, reply.Redelivered)
		settle(n > 0)
	}
}

// realBroker adapts RabbitMQ to the interface.
type realBroker struct {
	t      *testing.T
	broker *rabbit.Broker
	queues map[string]chan taken
	own    map[string]chan taken
	ctx    context.Context
	runs   *sync.WaitGroup
}

type taken struct {
	message wire.Message
	answer  chan wire.Answer
	settle  func(bool)
}

func newRabbit(t *testing.T) *realBroker {
	t.Helper()
	url, prefix := env.Broker(t, brokerQueue)
	b := &realBroker{
		t: t, queues: make(map[string]chan taken), own: make(map[string]chan taken), runs: &sync.WaitGroup{},
		broker: rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, DeliveryLimit: sim.DeliveryLimit, Timeout: patience}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.ctx = ctx
	t.Cleanup(func() {
		cancel()
		b.runs.Wait()
		ending, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		assert.NoError(t, b.broker.Close(ending))
	})
	require.Eventually(t, func() bool { return b.broker.Ready() == nil }, patience, 10*time.Millisecond)
	return b
}

func (b *realBroker) Declare(queue string) {
	require.NoError(b.t, b.broker.DeclareQueues(b.ctx, []string{queue}))
}

func (b *realBroker) Publish(commands ...wire.Command) []wire.Receipt {
	return env.Receipts(b.ctx, b.broker.Publish, commands)
}

func (b *realBroker) Take(queue string) (wire.Message, func(wire.Answer)) {
	if b.queues[queue] == nil {
		next := make(chan taken)
		b.queues[queue] = next
		b.runs.Go(func() {
			assert.NoError(b.t, b.broker.Receive(b.ctx, queue, 1, func(message wire.Message) wire.Answer {
				d := taken{message: message, answer: make(chan wire.Answer, 1)}
				select {
				case next <- d:
					return <-d.answer
				case <-b.ctx.Done():
					return wire.Answer{}
				}
			}))
		})
	}
	d := b.wait(b.queues[queue])
	return d.message, func(answer wire.Answer) { d.answer <- answer }
}

func (b *realBroker) TakeReply() (wire.Message, func(bool)) {
	return b.takeOwn("replies", b.broker.ConsumeReplies)
}

func (b *realBroker) TakeDead() (wire.Message, func(bool)) {
	return b.takeOwn("dead", b.broker.ConsumeDead)
}

func (b *realBroker) takeOwn(
	name string, consume func(context.Context, func(wire.Message, func(bool))),
) (wire.Message, func(bool)) {
	if b.own[name] == nil {
		next := make(chan taken, 100)
		b.own[name] = next
		b.runs.Go(func() {
			consume(b.ctx, func(message wire.Message, settle func(bool)) { next <- taken{message: message, settle: settle} })
		})
	}
	d := b.wait(b.own[name])
	return d.message, d.settle
}

func (b *realBroker) wait(next chan taken) taken {
	select {
	case d := <-next:
		return d
	case <-time.After(patience):
		require.Fail(b.t, "no message arrives")
		return taken{}
	}
}
