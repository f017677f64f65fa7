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
	persistent := policy(50)
	pivot, tail := step("confirm", "orders", "charge"), step("notify", "inventory", "confirm")
	pivot.Kind, pivot.Compensation, pivot.Retry = saga.Pivot, "", persistent
	tail.Kind, tail.Compensation, tail.Retry = saga.Retriable, "", persistent
	brief := step("only", "inventory")
	brief.Timeout, brief.Retry.MaxAttempts = saga.Duration(BriefTimeout), 1
	again := brief
	again.Retry.MaxAttempts = 3
	return map[string]*saga.Definition{
		"linear": {Steps: linear()},
		"parallel": {Steps: []saga.Step{
			step("one", "inventory"), step("two", "payments"), step("three", "orders"),
			step("join", "inventory", "one", "two", "three"),
		}},
		"pivot":   {Steps: []saga.Step{step("reserve", "inventory"), step("charge", "payments", "reserve"), pivot, tail}},
		"brief":   {Steps: []saga.Step{brief}},
		"again":   {Steps: []saga.Step{again}},
		"patient": {Steps: patient(linear())},
		"single":  {Steps: patient([]saga.Step{step("only", "inventory")})},
	}
}

func linear() []saga.Step {
	return []saga.Step{
		step("first", "inventory"), step("second", "payments", "first"),
		step("third", "orders", "second"), step("fourth", "inventory", "third"),
	}
}

// patient gives the steps so much time that only a lost message makes them time out.
func patient(steps []saga.Step) []saga.Step {
	for i := range steps {
		steps[i].Timeout = saga.Duration(2 * time.Minute)
	}
	return steps
}

func policy(attempts int) saga.RetryPolicy {
	return saga.RetryPolicy{
		MaxAttempts: attempts, InitialInterval: saga.Duration(100 * time.Millisecond), Multiplier: 2,
		MaxInterval: saga.Duration(time.Second),
	}
}

func step(name, queue string, before ...string) saga.Step {
	return saga.Step{
		Name: name, Queue: queue, Command: queue + ".do", Compensation: queue + ".undo", Kind: saga.Compensatable,
		After: append([]string{}, before...), Timeout: saga.Duration(AttemptTimeout), Retry: policy(5),
		CompensationTimeout: saga.Duration(AttemptTimeout), CompensationRetry: policy(50),
	}
}
