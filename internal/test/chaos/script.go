package chaos

import (
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Behaviour is what the worker does with one command of a saga.
type Behaviour string

// The behaviours. A saga's data names one for each step and for "<step>/compensate"; by default all succeed.
const (
	Flaky      Behaviour = "flaky"      // the first attempt fails, retryable
	Decline    Behaviour = "decline"    // fails finally
	Reluctant  Behaviour = "reluctant"  // fails finally until an operator retries it
	Slow       Behaviour = "slow"       // takes long
	Mute       Behaviour = "mute"       // takes effect; the first attempt's reply is never sent
	Late       Behaviour = "late"       // takes effect; the reply comes after all timeouts
	Contradict Behaviour = "contradict" // its reply is followed by the opposite
	Deny       Behaviour = "deny"       // fails finally; its reply is followed by the opposite
	Cross      Behaviour = "cross"      // the first attempt's reply comes after the second was sent
	Hold       Behaviour = "hold"       // the command is held until after its compensation
	Lethal     Behaviour = "lethal"     // the command kills the worker's process, every time
)

// Data is the data of a saga of the suite.
type Data struct {
	Number int                  `json:"number"`
	Script map[string]Behaviour `json:"script,omitempty"`
	Copies int                  `json:"copies,omitempty"` // how often each command and each reply is delivered
}

// Of returns the behaviour of a command.
func (d Data) Of(step string, direction saga.Direction) Behaviour {
	if direction == saga.Compensate {
		step += "/compensate"
	}
	return d.Script[step]
}

// JSON encodes the data.
func (d Data) JSON() json.RawMessage {
	content, _ := json.Marshal(d) // strings and numbers cannot fail
	return content
}

// Times of the suite: short, so that an affected saga settles within a scenario.
const (
	AttemptTimeout = 3 * time.Second
	BriefTimeout   = 500 * time.Millisecond // of the definition "brief", for steps that must time out
	SlowWork       = 300 * time.Millisecond
)

// Queues returns the services' worker queues.
func Queues() []string { return []string{"inventory", "payments", "orders"} }

// Definitions returns the shapes of the load, by name.
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

// patient gives the steps so much time that they time out only over a lost message.
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
		Name: name, Queue: queue, Command: queue + ".do", Compensation: queue + ".compensate", Kind: saga.Compensatable,
		After: append([]string{}, before...), Timeout: saga.Duration(AttemptTimeout), Retry: policy(5),
		CompensationTimeout: saga.Duration(AttemptTimeout), CompensationRetry: policy(50),
	}
}
