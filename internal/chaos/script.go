package chaos

import (
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Behaviour is what the worker is to do about one command of a saga.
type Behaviour string

// The behaviours. A saga's data says for each step, and for "<step>/undo", which it is; by default all goes well.
const (
	Flaky      Behaviour = "flaky"      // the first attempt fails, and may be tried again
	Decline    Behaviour = "decline"    // fails for good
	Reluctant  Behaviour = "reluctant"  // fails for good, until a person asks for it again
	Slow       Behaviour = "slow"       // takes a good while
	Mute       Behaviour = "mute"       // takes effect; the first attempt's reply is never sent
	Late       Behaviour = "late"       // takes effect; the reply comes after everybody has given up
	Contradict Behaviour = "contradict" // after the reply comes its opposite
	Deny       Behaviour = "deny"       // fails for good; after that reply comes its opposite
	Cross      Behaviour = "cross"      // the first attempt's reply comes when the second is out
	Hold       Behaviour = "hold"       // the command lies about until after its compensation
	Lethal     Behaviour = "lethal"     // the command kills the worker's process, every time
)

// Data is the data of a saga of the suite.
type Data struct {
	Number int                  `json:"number"`
	Script map[string]Behaviour `json:"script,omitempty"`
	Copies int                  `json:"copies,omitempty"` // how often each command and each reply comes
}

// Of is the behaviour asked for of a command.
func (d Data) Of(step string, direction saga.Direction) Behaviour {
	if direction == saga.Compensate {
		step += "/undo"
	}
	return d.Script[step]
}

// JSON is the data as it is sent.
func (d Data) JSON() json.RawMessage {
	content, _ := json.Marshal(d) // strings and numbers
	return content
}

// Times of the suite: short, so that a saga that was hit settles within a scenario.
const (
	AttemptTimeout = 3 * time.Second
	BriefTimeout   = 500 * time.Millisecond // of the definition "brief", for what has to time out
	SlowWork       = 300 * time.Millisecond
)

// Queues are the services' worker queues.
func Queues() []string { return []string{"inventory", "payments", "orders"} }

// Definitions are the shapes of the load, by name.
func Definitions() map[string]*saga.Definition {
	patient := saga.RetryPolicy{
		MaxAttempts: 50, InitialInterval: saga.Duration(100 * time.Millisecond), Multiplier: 2,
		MaxInterval: saga.Duration(time.Second),
	}
	brief := step("only", "inventory", nil)
	brief.Timeout, brief.CompensationTimeout = saga.Duration(BriefTimeout), saga.Duration(AttemptTimeout)
	brief.Retry.MaxAttempts = 1
	single := step("only", "inventory", nil)
	single.Timeout = saga.Duration(time.Minute)
	again := brief
	again.Retry.MaxAttempts = 3
	pivot, tail := step("confirm", "orders", nil), step("notify", "inventory", nil)
	pivot.Kind, pivot.Compensation, pivot.Retry = saga.Pivot, "", patient
	tail.Kind, tail.Compensation, tail.Retry = saga.Retriable, "", patient
	return map[string]*saga.Definition{
		"linear": {Steps: []saga.Step{
			step("first", "inventory", nil), step("second", "payments", []string{"first"}),
			step("third", "orders", []string{"second"}), step("fourth", "inventory", []string{"third"}),
		}},
		"parallel": {Steps: []saga.Step{
			step("one", "inventory", nil), step("two", "payments", nil), step("three", "orders", nil),
			step("join", "inventory", []string{"one", "two", "three"}),
		}},
		"pivot": {Steps: []saga.Step{
			step("reserve", "inventory", nil), step("charge", "payments", []string{"reserve"}),
			after(pivot, "charge"), after(tail, "confirm"),
		}},
		"brief":  {Steps: []saga.Step{brief}},
		"again":  {Steps: []saga.Step{again}},
		"single": {Steps: []saga.Step{single}},
	}
}

func step(name, queue string, before []string) saga.Step {
	if before == nil {
		before = []string{}
	}
	policy := saga.RetryPolicy{
		MaxAttempts: 5, InitialInterval: saga.Duration(100 * time.Millisecond), Multiplier: 2,
		MaxInterval: saga.Duration(time.Second),
	}
	undo := policy
	undo.MaxAttempts = 50
	return saga.Step{
		Name: name, Queue: queue, Command: queue + ".do", Compensation: queue + ".undo", Kind: saga.Compensatable,
		After: before, Timeout: saga.Duration(AttemptTimeout), Retry: policy,
		CompensationTimeout: saga.Duration(AttemptTimeout), CompensationRetry: undo,
	}
}

func after(s saga.Step, before string) saga.Step {
	s.After = []string{before}
	return s
}
