package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	callTime     = 3 * time.Second // timeout of a caller
	answerLost   = 0.02            // probability that an answer is lost anyway
	requestLabel = "request"
	interference = 0.3 // share of sagas on which an operator acts unasked
)

// callReplica calls a random replica for the current task. It returns false if no answer arrives in time.
func (w *Simulation) callReplica(request func(r *replica)) bool {
	p := w.pick(w.replicaProcesses())
	if p == nil {
		w.sleep(w.between(50*time.Millisecond, time.Second))
		return false
	}
	var r *replica
	for _, each := range w.replicas {
		if each.process == p {
			r = each
		}
	}
	caller, answered := w.current, false
	w.spawn(p, func() {
		request(r)
		if !w.healed && w.hit(answerLost) {
			return
		}
		w.after(w.ambient, w.between(50*time.Microsecond, 2*time.Millisecond), func() {
			answered = true
			caller.wake()
		})
	})
	w.rest(callTime)
	if !answered {
		w.count(callerLeaves)
	}
	return answered
}

// start starts the n-th saga, with retries and perhaps from two callers at once.
func (w *Simulation) start(n int) {
	request := w.request(n)
	if w.hit(0.1) {
		w.spawn(w.operators, func() { w.startAs(n, request) })
	}
	id := w.startAs(n, request)
	if id == "" {
		return
	}
	if w.hit(0.05) {
		other := request
		other.BodyHash = []byte("other")
		w.conflict(n, other)
	}
	if !w.healed && w.hit(interference) {
		w.sleep(w.between(0, 10*time.Second))
		w.interfere(id)
	}
}

func (w *Simulation) request(n int) record.StartRequest {
	def := w.definitions[w.chance.IntN(len(w.definitions))]
	request := record.StartRequest{
		Definition: def.Name, IdempotencyKey: "start-" + strconv.Itoa(n),
		BodyHash: []byte("body"), Data: json.RawMessage(`{"request":` + strconv.Itoa(n) + `}`),
		Labels: map[string]string{requestLabel: strconv.Itoa(n)}, Actor: w.newActor(),
	}
	if w.hit(0.8) {
		request.Version = def.Version
	}
	if w.hit(0.1) {
		request.Key = "key-" + strconv.Itoa(w.chance.IntN(3))
	}
	if w.hit(0.1) {
		request.StartAt = w.time().Add(w.between(0, 20*time.Second))
	}
	if w.hit(0.1) {
		request.Deadline = w.between(time.Second, 20*time.Second)
	}
	return request
}

// startAs retries until there is an answer. It returns the id of the saga, or "" if the business key is in use.
func (w *Simulation) startAs(n int, request record.StartRequest) string {
	for {
		var in saga.Instance
		var err error
		heard := w.callReplica(func(r *replica) { in, _, err = r.engine.Start(w.patience(), request) })
		var inUse *record.KeyInUseError
		switch {
		case !heard || errors.Is(err, record.ErrUnavailable) || errors.Is(err, errLineBroke) || errors.Is(err, errStoreAway):
			w.sleep(w.between(10*time.Millisecond, 2*time.Second))
		case errors.As(err, &inUse) && request.Key != "":
			w.evidence.keyInUse(n, inUse.SagaID)
			return ""
		case err != nil:
			w.evidence.violate("", "starts are answered", fmt.Sprintf("start %d: %v", n, err))
			return ""
		default:
			w.evidence.started(n, in.ID)
			return in.ID
		}
	}
}

// conflict uses an idempotency key for another request.
func (w *Simulation) conflict(n int, request record.StartRequest) {
	var err error
	heard := w.callReplica(func(r *replica) { _, _, err = r.engine.Start(w.patience(), request) })
	if heard && err == nil {
		w.evidence.violate("", "an idempotency key stands for one body", fmt.Sprintf("start %d accepted another body", n))
	}
}

// interfere makes an operator act on a saga that needs no action.
func (w *Simulation) interfere(id string) {
	switch w.chance.IntN(5) {
	case 0, 1:
		w.act(id, saga.Action{Name: saga.ActionCompensate, Reason: "changed my mind"})
	case 2:
		w.act(id, saga.Action{Name: saga.ActionAbandon, Reason: "never mind"})
	default:
		w.act(id, saga.Action{Name: saga.ActionPause, Reason: "wait"})
		w.sleep(w.between(0, 10*time.Second))
		if w.hit(0.3) {
			w.act(id, saga.Action{Name: saga.ActionPatchData, Patch: json.RawMessage(`{"patched":true}`), Reason: "repaired"})
		}
		w.act(id, saga.Action{Name: saga.ActionResume, Reason: "go on"})
	}
}

// act requests an action once; without an answer, the operator who looks next decides again. Every call has its own
// actor, which identifies it in the history.
func (w *Simulation) act(id string, action saga.Action) {
	action.ID, action.Actor = w.newID(), w.newActor()
	var in saga.Instance
	var err error
	w.evidence.asks(id, action)
	heard := w.callReplica(func(r *replica) { in, err = r.engine.Act(w.patience(), id, action) })
	var refusal *saga.Refusal
	switch {
	case !heard || errors.Is(err, record.ErrUnavailable): // the outcome is unknown
	case errors.As(err, &refusal):
		w.evidence.refused(id, action)
	case err != nil:
		w.evidence.violate(id, "actions are answered", fmt.Sprintf("%s: %v", action.Name, err))
	default:
		w.evidence.accepted(id, action, in.Revision)
	}
}

func (w *Simulation) newActor() string {
	w.actors++
	return "operator-" + strconv.Itoa(w.actors)
}

// repair makes operators handle what needs them until no saga does.
func (w *Simulation) repair() {
	for !w.atRest() {
		for _, d := range w.evidence.sagas {
			w.attend(d)
		}
		w.sleep(time.Second)
	}
}

// attend requests one of the actions that a saga allows.
func (w *Simulation) attend(d *sagaEvidence) {
	in, id := &d.instance, d.id
	if in.Attention == nil && in.Status != saga.Paused {
		return
	}
	allowed := d.def.AllowedActions(in)
	step := ""
	if in.Attention != nil {
		step = in.Attention.Step
	}
	switch {
	case in.Status == saga.Paused:
		w.act(id, saga.Action{Name: saga.ActionResume, Reason: "go on"})
	case in.Status == saga.Stuck || in.Status.Terminal() && len(allowed) > 0:
		name := allowed[w.chance.IntN(len(allowed))]
		if w.hit(0.5) {
			name = allowed[0] // retry, or compensate a late effect
		}
		w.act(id, saga.Action{Name: name, Step: step, Patch: json.RawMessage(`{"patched":true}`), Reason: "repaired"})
	}
}

func (w *Simulation) def(in *saga.Instance) *saga.Definition {
	for _, def := range w.definitions {
		if def.Name == in.Definition {
			return def
		}
	}
	panic("a saga without a definition")
}
