package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// load starts sagas at a steady rate, however long each takes: an open loop.
type load struct {
	fx      *fixture
	random  *rand.Rand
	running sync.WaitGroup
	quit    chan struct{}
	once    sync.Once

	mu                               sync.Mutex
	known                            map[string]Data // acknowledged saga → its data
	begun                            time.Time       // when the load started
	ended                            time.Time       // when the last start was sent
	attempts, refused, unsaid, worst atomic.Int64
}

// planned is a saga to start.
type planned struct {
	definition string
	data       Data
}

func newLoad(fx *fixture) *load {
	return &load{
		fx: fx, random: rand.New(rand.NewPCG(fx.seed, uint64(fx.scenario.number))), quit: make(chan struct{}),
		known: make(map[string]Data),
	}
}

// begin starts the loop.
func (l *load) begin(rate float64) {
	l.begun = time.Now()
	l.running.Go(func() {
		tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer tick.Stop()
		for number := 0; ; number++ {
			plan := l.draw(number)
			l.running.Go(func() { l.start(number, plan) })
			select {
			case <-tick.C:
			case <-l.quit:
				l.mu.Lock()
				l.ended = time.Now()
				l.mu.Unlock()
				return
			}
		}
	})
}

// stop ends the loop and waits until every start is acknowledged or given up.
func (l *load) stop() {
	l.once.Do(func() { close(l.quit) })
	l.running.Wait()
}

// start retries one start until it is acknowledged: the key makes the retries one saga.
func (l *load) start(number int, plan planned) {
	body := map[string]any{"definition": plan.definition, "data": plan.data, "labels": map[string]string{"load": "yes"}}
	for attempt := range 600 {
		l.attempts.Add(1)
		var started resource.Saga
		status, err := l.fx.anyAPI(number+attempt).call(http.MethodPost, "/v1/sagas", fmt.Sprintf("load-%d", number), body, &started)
		if err == nil && (status == http.StatusCreated || status == http.StatusOK) {
			l.most(attempt + 1)
			l.acknowledged(started.ID, plan.data)
			return
		}
		l.refused.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	l.unsaid.Add(1)
}

// most records the largest number of tries of a start.
func (l *load) most(tries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.worst.Store(max(l.worst.Load(), int64(tries)))
}

func (l *load) acknowledged(id string, data Data) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[id] = data
}

// startOne starts a saga outside the loop and returns its id.
func (fx *fixture) startOne(definition string, data Data) string {
	fx.t.Helper()
	var started resource.Saga
	body := map[string]any{"definition": definition, "data": data}
	fx.anyAPI(data.Number).must(fx.t, http.MethodPost, "/v1/sagas", body, &started, http.StatusCreated)
	fx.load.acknowledged(started.ID, data)
	return started.ID
}

// startMany starts sagas with the same script, a few at a time.
func (fx *fixture) startMany(count int, definition string, script map[string]Behaviour) []string {
	fx.t.Helper()
	ids := make([]string, count)
	fx.sideBySide(8, count, func(i int) { ids[i] = fx.startOne(definition, Data{Number: i, Script: script}) })
	return ids
}

// sideBySide calls do count times, from a number of goroutines.
func (fx *fixture) sideBySide(hands, count int, do func(i int)) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range hands {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	working.Wait()
}

// draw decides the next saga: its shape, and what goes wrong with it.
func (l *load) draw(number int) planned {
	shapes := []string{"linear", "parallel", "pivot"}
	p := planned{definition: shapes[l.random.IntN(len(shapes))], data: Data{Number: number, Script: map[string]Behaviour{}}}
	steps := Definitions()[p.definition].Steps
	for _, step := range steps {
		switch dice := l.random.Float64(); {
		case dice < 0.12:
			p.data.Script[step.Name] = Flaky
		case dice < 0.20 && step.Kind != saga.Retriable:
			p.data.Script[step.Name] = Decline
		case dice < 0.28:
			p.data.Script[step.Name] = Slow
		}
		switch dice := l.random.Float64(); {
		case step.Compensation == "":
		case dice < 0.15:
			p.data.Script[step.Name+"/compensate"] = Flaky
		case dice < 0.16:
			p.data.Script[step.Name+"/compensate"] = Reluctant
		}
	}
	return p
}
