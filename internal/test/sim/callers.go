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
	callTime     = 3 * time.Second // how long a caller waits for an answer
	answerLost   = 0.02            // how often it does not arrive all the same
	requestLabel = "request"
	meddling     = 0.3 // how many sagas a person does something to, without being asked
)

// ask has a replica do something for the current task, and is false when nothing is heard of it in time.
func (w *World) ask(request func(r *replica)) bool {
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
		w.after(w.nature, w.between(50*time.Microsecond, 2*time.Millisecond), func() {
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

// start has the n-th saga started, however often that has to be asked for, and perhaps by two callers at once.
func (w *World) start(n int) {
	request := w.request(n)
	if w.hit(0.1) {
		w.spawn(w.people, func() { w.startAs(n, request) })
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
	if !w.healed && w.hit(meddling) {
		w.sleep(w.between(0, 10*time.Second))
		w.meddle(id)
	}
}

func (w *World) request(n int) record.StartRequest {
	plan := w.plans[w.chance.IntN(len(w.plans))]
	request := record.StartRequest{
		Definition: plan.Name, IdempotencyKey: "start-" + strconv.Itoa(n),
		BodyHash: []byte("body"), Data: json.RawMessage(`{"request":` + strconv.Itoa(n) + `}`),
		Labels: map[string]string{requestLabel: strconv.Itoa(n)}, Actor: w.newActor(),
	}
	if w.hit(0.8) {
		request.Version = plan.Version
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

// startAs asks until there is an answer. It returns the saga's id, or nothing when the business key is in use.
func (w *World) startAs(n int, request record.StartRequest) string {
	for {
		var in saga.Instance
		var err error
		heard := w.ask(func(r *replica) { in, _, err = r.engine.Start(w.patience(), request) })
		var inUse *record.KeyInUseError
		switch {
		case !heard || errors.Is(err, record.ErrUnavailable) || errors.Is(err, errLineBroke) || errors.Is(err, errStoreAway):
			w.sleep(w.between(10*time.Millisecond, 2*time.Second))
		case errors.As(err, &inUse) && request.Key != "":
			w.evidence.keyInUse(n, inUse.SagaID)
			return ""
		case err != nil:
			w.evidence.accuse("", "starts are answered", fmt.Sprintf("start %d: %v", n, err))
			return ""
		default:
			w.evidence.started(n, in.ID)
			return in.ID
		}
	}
}

// conflict uses an idempotency key for something else.
func (w *World) conflict(n int, request record.StartRequest) {
	var err error
	heard := w.ask(func(r *replica) { _, _, err = r.engine.Start(w.patience(), request) })
	if heard && err == nil {
		w.evidence.accuse("", "an idempotency key stands for one body", fmt.Sprintf("start %d took another body", n))
	}
}

// meddle is a person who does something to a saga without being asked.
func (w *World) meddle(id string) {
	switch w.chance.IntN(5) {
	case 0, 1:
		w.act(id, saga.Action{Name: saga.ActionCompensate, Reason: "changed my mind"})
	case 2:
		w.act(id, saga.Action{Name: saga.ActionAbandon, Reason: "never mind"})
	default:
		w.act(id, saga.Action{Name: saga.ActionPause, Reason: "wait"})
		w.sleep(w.between(0, 10*time.Second))
		if w.hit(0.3) {
			w.act(id, saga.Action{Name: saga.ActionPatchData, Patch: json.RawMessage(`{"patched":true}`), Reason: "mended"})
		}
		w.act(id, saga.Action{Name: saga.ActionResume, Reason: "go on"})
	}
}

// act has an action taken, once: when nothing is heard of it, whoever looks next decides anew. Every call has an actor
// of its own, by which its traces are found in the history.
func (w *World) act(id string, action saga.Action) {
	action.ID, action.Actor = w.newID(), w.newActor()
	var in saga.Instance
	var err error
	w.evidence.asks(id, action)
	heard := w.ask(func(r *replica) { in, err = r.engine.Act(w.patience(), id, action) })
	var refusal *saga.Refusal
	switch {
	case !heard || errors.Is(err, record.ErrUnavailable): // it may have been done or not
	case errors.As(err, &refusal):
		w.evidence.refused(id, action)
	case err != nil:
		w.evidence.accuse(id, "actions are answered", fmt.Sprintf("%s: %v", action.Name, err))
	default:
		w.evidence.accepted(id, action, in.Revision)
	}
}

func (w *World) newActor() string {
	w.actors++
	return "person-" + strconv.Itoa(w.actors)
}

// repair is people who look at what needs them, until nothing does.
func (w *World) repair() {
	for !w.atRest() {
		for _, d := range w.evidence.sagas {
			w.attend(d)
		}
		w.sleep(time.Second)
	}
}

// attend does one of the things that may be done about a saga.
func (w *World) attend(d *dossier) {
	in, id := &d.instance, d.id
	if in.Attention == nil && in.Status != saga.Paused {
		return
	}
	allowed := d.plan.AllowedActions(in)
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
			name = allowed[0] // to try again, or to undo what came too late
		}
		w.act(id, saga.Action{Name: name, Step: step, Patch: json.RawMessage(`{"patched":true}`), Reason: "repaired"})
	}
}

func (w *World) plan(in *saga.Instance) *saga.Definition {
	for _, plan := range w.plans {
		if plan.Name == in.Definition {
			return plan
		}
	}
	panic("a saga of no definition")
}
