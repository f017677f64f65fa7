package workers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

// atOnce is the number of sagas that run at a time.
const atOnce = 20

// services are those of examples/workers/purchase.json: the queue, the command and its compensation.
func services() map[string][2]string {
	return map[string][2]string{
		"payments": {"payments.charge", "payments.refund"}, "inventory": {"inventory.reserve", "inventory.release"},
		"shipping": {"shipping.book", "shipping.cancel"},
	}
}

// purchase is the definition of examples/workers/purchase.json, with attempts that time out soon.
func purchase() *saga.Definition {
	soon := saga.Timeout(15 * time.Second)
	return saga.New("purchase").
		Step("charge", "payments.charge", saga.CompensatedBy("payments.refund"), soon).
		Step("reserve", "inventory.reserve", saga.CompensatedBy("inventory.release"), soon, saga.AtOnce()).
		Step("book", "shipping.book", saga.CompensatedBy("shipping.cancel"), soon, saga.After("charge", "reserve")).
		MustBuild()
}

// serve runs an orchestrator until the test ends.
func serve(t *testing.T, url, prefix string) *client.Client {
	t.Helper()
	s, err := server.Open(t.Context(), server.Config{
		DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true, Listen: "127.0.0.1:0", Auth: "none",
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	transport := &http.Transport{MaxIdleConnsPerHost: atOnce}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		assert.NoError(t, <-ended)
	})
	c := client.New(client.Config{Server: s.URL(), HTTP: &http.Client{Transport: transport}})
	require.Eventually(t, func() bool {
		_, err := c.Register(t.Context(), purchase())
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	return c
}

// run runs all sagas to their ends. Most complete; of ten, two are compensated after two effects, and one after none.
func run(t *testing.T, c *client.Client) map[string]saga.Status {
	t.Helper()
	ends, numbers := map[string]saga.Status{}, make(chan int)
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range atOnce {
		callers.Go(func() {
			for n := range numbers {
				id, status, err := runOne(t.Context(), c, n)
				mu.Lock()
				assert.NoError(t, err)
				ends[id] = status
				mu.Unlock()
			}
		})
	}
	for n := range *sagas {
		numbers <- n
	}
	close(numbers)
	callers.Wait()
	return ends
}

func runOne(ctx context.Context, c *client.Client, n int) (string, saga.Status, error) {
	amount := map[int]int{7: 700, 8: 700, 9: 1200}[n%10]
	if amount == 0 {
		amount = 100 + n%10
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	request := client.StartRequest{
		Definition: "purchase", IdempotencyKey: fmt.Sprint("n", n), Wait: 30 * time.Second,
		Data: json.RawMessage(fmt.Sprintf(`{"amount":%d}`, amount)),
	}
	for {
		found, err := c.Start(ctx, request) // the same saga each time
		if err != nil || found.Status.Terminal() || found.Attention != nil {
			return found.ID, found.Status, err
		}
	}
}

// Every command is delivered one to five times and the workers are killed at random. The services' own tables then have one
// entry for each idempotency key, and no entry of a compensated saga is left as it was.
func TestEachKeyHasOneEffectWhateverIsDeliveredHowOften(t *testing.T) {
	t.Parallel()
	queues := slices.Sorted(maps.Keys(services()))
	url, workers := declare(t, queues...)
	_, prefix := env.Broker(t, queues...)
	databases := map[string]*pgxpool.Pool{}
	for _, queue := range queues {
		databases[queue] = service(t)
	}
	c := serve(t, url, prefix)
	f := newForwarder(t, url, prefix, workers, queues...)
	var killable []*process
	foreign := map[string]bool{}
	for _, l := range languages(t) {
		l.prepare(t)
		foreign[l.queue] = true
		killable = append(killable, l.start(t, url, workers, databases[l.queue].Config().ConnString()))
	}
	for queue, names := range services() {
		if !foreign[queue] {
			startGo(t, url, workers, queue, names[0], names[1], databases[queue])
		}
	}

	finished := make(chan map[string]saga.Status, 1)
	go func() { finished <- run(t, c) }()
	ends, kills := killUntil(t, killable, f, finished)
	f.late.Wait()
	require.Eventually(t, func() bool { return f.drained(queues...) }, 2*time.Minute, 100*time.Millisecond, "commands are left")
	for _, p := range killable {
		p.kill() // what is not acknowledged has been done or has not
	}
	require.Len(t, ends, *sagas)
	counts, effects := map[saga.Status]int{}, 0
	for _, status := range ends {
		counts[status]++
	}
	for _, queue := range queues {
		effects += checkLedger(t, queue, databases[queue], ends)
	}
	t.Logf("%v; %d commands in %d deliveries, %d kills, %d effects; seed %d", counts, f.commands.Load(), f.copies.Load(), kills, effects, *seed)
	assert.Equal(t, *sagas, counts[saga.Completed]+counts[saga.Compensated], "all sagas end: %v", counts)
	assert.Positive(t, counts[saga.Compensated])
	assert.Greater(t, f.copies.Load(), 2*f.commands.Load())
	assert.Positive(t, kills)
}

// killUntil kills workers, each after some more deliveries, and starts them again, until all sagas have ended.
func killUntil(t *testing.T, killable []*process, f *forwarder, finished <-chan map[string]saga.Status) (map[string]saga.Status, int) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 0))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	next := int64(random.IntN(100))
	for kills := 0; ; {
		select {
		case ends := <-finished:
			return ends, kills
		case <-tick.C:
			if f.copies.Load() < next {
				continue
			}
			p := killable[random.IntN(len(killable))]
			p.kill()
			p.run()
			kills++
			next = f.copies.Load() + 100 + int64(random.IntN(300))
		}
	}
}
