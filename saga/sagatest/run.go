package sagatest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// farAhead is how far Settle looks for something that is due.
const farAhead = 100 * 365 * 24 * time.Hour

// Run is a saga of a test.
type Run struct {
	test *Test
	id   string
}

// Saga returns the saga as it is now.
func (r *Run) Saga() saga.Instance {
	r.test.t.Helper()
	stored, err := r.test.store.Saga(r.test.ctx, r.id)
	if err != nil {
		r.test.t.Fatalf("sagatest: %v", err)
	}
	return stored.Instance
}

// Status returns the status of the saga.
func (r *Run) Status() saga.Status {
	r.test.t.Helper()
	return r.Saga().Status
}

// Data decodes the data of the saga.
func (r *Run) Data(into any) {
	r.test.t.Helper()
	if err := json.Unmarshal(r.Saga().Data, into); err != nil {
		r.test.t.Fatalf("sagatest: decode the data: %v", err)
	}
}

// Child returns the saga that a step has started; the last one, if a rewind has made it start several.
func (r *Run) Child(step string) *Run {
	r.test.t.Helper()
	in := r.Saga()
	for i := range in.Steps {
		if children := in.Steps[i].Children; in.Steps[i].Name == step && len(children) > 0 {
			return &Run{test: r.test, id: children[len(children)-1]}
		}
	}
	r.test.t.Fatalf("sagatest: step %s has started no saga\n%s", step, r.Explain())
	return nil
}

// Signal gives a signal to the saga. output is encoded to a JSON object; nil: no output. The test fails if the saga refuses
// the signal.
func (r *Run) Signal(name string, output any) {
	r.test.t.Helper()
	given := saga.Signal{ID: r.test.newID(), Name: name}
	if output != nil {
		given.Output = r.test.object("the output", output)
	}
	r.signal(given)
}

// FailSignal gives a signal that makes the waiting step fail.
func (r *Run) FailSignal(name, code, message string) {
	r.test.t.Helper()
	r.signal(saga.Signal{ID: r.test.newID(), Name: name, Error: &saga.StepError{Code: code, Message: message}})
}

func (r *Run) signal(given saga.Signal) {
	r.test.t.Helper()
	if _, err := r.test.engine.Signal(r.test.ctx, r.id, given); err != nil {
		r.test.t.Fatalf("sagatest: signal %s: %v\n%s", given.Name, err, r.Explain())
	}
	r.test.work()
}

// Act applies an action of an operator, such as saga.ActionRetry. It returns a *saga.Refusal if the action does not apply.
func (r *Run) Act(action saga.Action) error {
	r.test.t.Helper()
	action.ID = r.test.newID()
	if action.Actor == "" {
		action.Actor = "operator"
	}
	_, err := r.test.engine.Act(r.test.ctx, r.id, action)
	r.test.work()
	return err
}

// Advance lets time pass for all sagas of the test. What becomes due on the way happens at its time.
func (r *Run) Advance(by time.Duration) {
	r.test.t.Helper()
	r.test.Advance(by)
}

// Advance lets time pass for all sagas of the test. What becomes due on the way happens at its time.
func (t *Test) Advance(by time.Duration) {
	t.t.Helper()
	until := t.now.Add(by)
	for t.pass(until) {
		continue
	}
	t.now = until
}

// Settle lets time pass as long as it moves the saga, through retries, delays and timeouts. It stops when the saga has ended,
// is stuck or paused, or waits only for signals, even if their wait is limited.
func (r *Run) Settle() {
	r.test.t.Helper()
	until := r.test.now.Add(farAhead)
	for !r.settled() && r.test.pass(until) {
		continue
	}
}

// settled reports whether Settle stops.
func (r *Run) settled() bool {
	r.test.t.Helper()
	in := r.Saga()
	if in.Status.Terminal() || in.Status == saga.Stuck || in.Status == saga.Paused {
		return true
	}
	waits := false
	for i := range in.Steps {
		switch s := &in.Steps[i]; {
		case s.Waiting == saga.WaitForSignal:
			waits = true
		case s.Waiting == saga.WaitForChild && len(s.Children) > 0:
			if !(&Run{test: r.test, id: s.Children[len(s.Children)-1]}).settled() {
				return false
			}
			waits = true
		case s.Status == saga.StepRunning, s.Status == saga.StepRetrying, s.Status == saga.StepCompensating:
			return false
		}
	}
	return waits
}

// pass moves the time to what is due next, if it is due until then, and lets it happen.
func (t *Test) pass(until time.Time) bool {
	t.t.Helper()
	next, is := t.due(until)
	if i := t.nextLate(); i >= 0 && !t.late[i].at.After(until) && (!is || t.late[i].at.Before(next.WakeAt)) {
		reply := t.late[i]
		t.late = slices.Delete(t.late, i, i+1)
		t.now = reply.at
		reply.receive()
		t.work()
		return true
	}
	if !is {
		return false
	}
	if next.WakeAt.After(t.now) {
		t.now = next.WakeAt
	}
	t.engine.Wake(t.ctx, next.SagaID)
	t.work()
	if again, is := t.due(until); is && again == next {
		t.t.Fatalf("sagatest: saga %s stays due at %s", next.SagaID, t.now)
	}
	return true
}

// due returns the saga that is due next, if it is due until then.
func (t *Test) due(until time.Time) (next record.DueSaga, is bool) {
	t.t.Helper()
	due, err := t.store.Due(t.ctx, t.now.Sub(until), record.DueSaga{}, 1)
	if err != nil {
		t.t.Fatalf("sagatest: %v", err)
	}
	if len(due) == 0 {
		return next, false
	}
	return due[0], true
}
