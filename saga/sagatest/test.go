package sagatest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// TB is what a Test needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, arguments ...any)
	Fatalf(format string, arguments ...any) // does not return
}

// Saga is a *steps.Saga, a *saga.Builder, or a definition as Defined returns it.
type Saga interface {
	Build() (*saga.Definition, error)
}

// typed is a saga with functions.
type typed interface {
	Queues() ([]string, error)
	Attach(worker *steps.Worker, options ...steps.ServeOption) error
}

// Defined makes a Saga of a definition. With the definition of a typed saga its functions are not called.
func Defined(definition *saga.Definition) Saga { return defined{definition} }

type defined struct{ definition *saga.Definition }

// Build returns the definition.
func (d defined) Build() (*saga.Definition, error) { return d.definition, nil }

// Test is an orchestrator in memory, with a clock of its own. Use it from one goroutine.
type Test struct {
	t       TB
	ctx     context.Context
	first   *saga.Definition            // what Start starts
	known   map[string]*saga.Definition // by name
	pending []*saga.Definition          // not registered yet
	now     time.Time
	ids     uint64
	store   *memory.Store
	engine  *engine.Engine
	outbox  *outbox
	workers workers
	scripts map[target]*script
	late    []lateReply
}

// New returns a test of a saga. The options, such as steps.WithBarrier, are for the functions of a typed saga.
func New(t TB, s Saga, options ...steps.ServeOption) *Test {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	test := &Test{
		t: t, ctx: ctx, known: make(map[string]*saga.Definition), outbox: &outbox{}, scripts: make(map[target]*script),
		now: time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC),
	}
	t.Cleanup(func() {
		cancel()
		test.workers.running.Wait()
	})
	compiler, err := definitions.NewCompiler()
	if err != nil {
		t.Fatalf("sagatest: %v", err)
	}
	if test.store, err = memory.Open(memory.Config{Now: test.Now}); err != nil {
		t.Fatalf("sagatest: %v", err)
	}
	test.engine = engine.New(engine.Config{
		Store: test.store, Outbox: test.outbox, Compiler: compiler, Lanes: 1,
		Environment: engine.Environment{Now: test.Now, NewID: test.newID, Await: test.await},
	})
	test.Add(s, options...)
	return test
}

// Add adds a further saga, such as the child of another one. Add all before a saga is started that needs them.
func (t *Test) Add(s Saga, options ...steps.ServeOption) {
	t.t.Helper()
	definition, err := s.Build()
	if err != nil {
		t.t.Fatalf("sagatest: build the definition: %v", err)
	}
	if t.first == nil {
		t.first = definition
	}
	t.known[definition.Name] = definition
	t.pending = append(t.pending, definition)
	functions, is := s.(typed)
	if !is {
		return
	}
	queues, err := functions.Queues()
	if err != nil {
		t.t.Fatalf("sagatest: %v", err)
	}
	for _, queue := range queues {
		worker := steps.NewWorker(queue, steps.Config{})
		if err := functions.Attach(worker, options...); err != nil {
			t.t.Fatalf("sagatest: %v. Give the option to New or Add, or test sagatest.Defined(…) with scripted outcomes", err)
		}
		t.Serve(worker)
	}
}

// register registers the definitions, children before their parents.
func (t *Test) register() {
	t.t.Helper()
	for len(t.pending) > 0 {
		var later []*saga.Definition
		var fault error
		for _, definition := range t.pending {
			if _, _, err := t.engine.RegisterDefinition(t.ctx, definition); err != nil {
				later, fault = append(later, definition), err
			}
		}
		if len(later) == len(t.pending) {
			t.t.Fatalf("sagatest: register %s: %v", later[len(later)-1].Name, fault)
		}
		t.pending = later
	}
}

// Serve calls the handlers of a worker for its commands. The worker runs until the test ends.
func (t *Test) Serve(worker *steps.Worker) {
	t.t.Helper()
	if err := t.workers.start(t.ctx, worker); err != nil {
		t.t.Fatalf("sagatest: run the worker: %v", err)
	}
}

// Now returns the time of the test. It begins with the year 2030, and moves only with Advance and Settle.
func (t *Test) Now() time.Time { return t.now }

// Start starts a saga of the definition that New got. data is encoded to JSON, nil is an empty object. An option sets
// other fields of the start, such as the business key.
func (t *Test) Start(data any, options ...steps.RunOption) *Run {
	t.t.Helper()
	return t.StartOf(t.first.Name, data, options...)
}

// StartOf starts a saga of another definition.
func (t *Test) StartOf(definition string, data any, options ...steps.RunOption) *Run {
	t.t.Helper()
	t.register()
	request := client.StartRequest{Definition: definition, Data: t.object("the data", data)}
	for _, option := range options {
		if option != nil {
			option(&request)
		}
	}
	started, _, err := t.engine.Start(t.ctx, record.StartRequest{
		Definition: request.Definition, Version: request.Version, Key: request.Key, Data: request.Data, Priority: request.Priority,
		Labels: request.Labels, StartAt: request.StartAt, Deadline: request.Deadline, IdempotencyKey: request.IdempotencyKey,
	})
	if err != nil {
		t.t.Fatalf("sagatest: %v", err)
	}
	t.work()
	return &Run{test: t, id: started.ID}
}

// object encodes a value to a JSON object. JSON text stays as it is.
func (t *Test) object(what string, value any) json.RawMessage {
	t.t.Helper()
	if value == nil {
		return json.RawMessage(`{}`)
	}
	content, err := saga.EncodeJSON(value)
	if err != nil {
		t.t.Fatalf("sagatest: encode %s: %v", what, err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil || members == nil {
		t.t.Fatalf("sagatest: %s must encode to a JSON object, not to %s", what, content)
	}
	return content
}

// newID returns the next id. Ids are the same in every run of a test, and so is the jitter of retries, which is made of them.
func (t *Test) newID() string {
	t.ids++
	entropy := make([]byte, 10)
	binary.BigEndian.PutUint64(entropy[2:], t.ids)
	var id ulid.ULID
	if err := id.SetTime(ulid.Timestamp(t.now)); err != nil {
		t.t.Fatalf("sagatest: make an id: %v", err)
	}
	if err := id.SetEntropy(entropy); err != nil {
		t.t.Fatalf("sagatest: make an id: %v", err)
	}
	return id.String()
}
