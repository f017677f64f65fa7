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
	rewinding    = 0.1 // share of sagas that an operator rewinds
)

// callReplica calls a random replica for the current task. It returns false if no answer arrives in time.
func (s *Simulation) callReplica(request func(r *replica)) bool {
	p := s.pick(s.replicaProcesses())
	if p == nil {
		s.sleep(s.between(50*time.Millisecond, time.Second))
		return false
	}
	var r *replica
	for _, each := range s.replicas {
		if each.process == p {
			r = each
		}
	}
	caller, answered := s.current, false
	s.spawn(p, func() {
		request(r)
		if !s.healed && s.hit(answerLost) {
			return
		}
		s.after(s.ambient, s.between(50*time.Microsecond, 2*time.Millisecond), func() {
			answered = true
			caller.wake()
		})
	})
	s.rest(callTime)
	if !answered {
		s.count(callerLeaves)
	}
	return answered
}

// start starts the n-th saga, with retries and perhaps from two callers at once.
func (s *Simulation) start(n int) {
	request := s.request(n)
	if s.hit(0.1) {
		s.spawn(s.operators, func() { s.startAs(n, request) })
	}
	id := s.startAs(n, request)
	if id == "" {
		return
	}
	if s.hit(0.05) {
		other := request
		other.BodyHash = []byte("other")
		s.conflict(n, other)
	}
	for !s.healed && s.hit(rewinding) {
		s.sleep(s.between(0, 3*time.Second))
		s.rewind(id)
	}
	if !s.healed && s.hit(interference) {
		s.sleep(s.between(0, 10*time.Second))
		s.interfere(id)
	}
}

func (s *Simulation) request(n int) record.StartRequest {
	def := s.definitions[s.chance.IntN(len(s.definitions))]
	request := record.StartRequest{
		Definition: def.Name, IdempotencyKey: "start-" + strconv.Itoa(n),
		BodyHash: []byte("body"), Data: s.data(n),
		Labels: map[string]string{requestLabel: strconv.Itoa(n)}, Actor: s.newActor(),
		Priority: uint8(s.chance.IntN(10)),
	}
	if s.hit(0.8) {
		request.Version = def.Version
	}
	if s.hit(0.1) {
		request.Key = "key-" + strconv.Itoa(s.chance.IntN(3))
	}
	if s.hit(0.1) {
		request.StartAt = s.time().Add(s.between(0, 20*time.Second))
	}
	if s.hit(0.1) {
		request.Deadline = s.between(time.Second, 20*time.Second)
	}
	return request
}

// startAs retries until there is an answer. It returns the id of the saga, or "" if the business key is in use.
func (s *Simulation) startAs(n int, request record.StartRequest) string {
	for {
		var in saga.Instance
		var err error
		heard := s.callReplica(func(r *replica) { in, _, err = r.engine.Start(s.patience(), request) })
		var inUse *record.KeyInUseError
		switch {
		case !heard || errors.Is(err, record.ErrUnavailable) || errors.Is(err, errLineBroke) || errors.Is(err, errStoreAway):
			s.sleep(s.between(10*time.Millisecond, 2*time.Second))
		case errors.As(err, &inUse) && request.Key != "":
			s.evidence.keyInUse(n, inUse.SagaID)
			return ""
		case err != nil:
			s.evidence.violate("", "starts are answered", fmt.Sprintf("start %d: %v", n, err))
			return ""
		default:
			s.evidence.started(n, in.ID)
			return in.ID
		}
	}
}

// conflict uses an idempotency key for another request.
func (s *Simulation) conflict(n int, request record.StartRequest) {
	var err error
	heard := s.callReplica(func(r *replica) { _, _, err = r.engine.Start(s.patience(), request) })
	if heard && err == nil {
		s.evidence.violate("", "an idempotency key stands for one body", fmt.Sprintf("start %d accepted another body", n))
	}
}

// interfere makes an operator act on a saga that needs no action.
func (s *Simulation) interfere(id string) {
	switch s.chance.IntN(5) {
	case 0, 1:
		s.act(id, saga.Action{Name: saga.ActionCompensate, Reason: "changed my mind"})
	case 2:
		s.act(id, saga.Action{Name: saga.ActionAbandon, Reason: "never mind"})
	default:
		s.act(id, saga.Action{Name: saga.ActionPause, Reason: "wait"})
		s.sleep(s.between(0, 10*time.Second))
		if s.hit(0.3) {
			s.act(id, saga.Action{Name: saga.ActionPatchData, Patch: json.RawMessage(`{"patched":true}`), Reason: "repaired"})
		}
		s.act(id, saga.Action{Name: saga.ActionResume, Reason: "go on"})
	}
}

// rewind requests a rewind to any step. It is refused if the step has not run.
func (s *Simulation) rewind(id string) {
	in := &s.evidence.known[id].instance
	rewind := saga.Action{Name: saga.ActionRewind, To: in.Steps[s.chance.IntN(len(in.Steps))].Name, Reason: "once more"}
	if s.hit(0.3) {
		rewind.Patch = json.RawMessage(`{"patched":true}`)
	}
	s.act(id, rewind)
}

// act requests an action once; without an answer, the next operator decides again. Every call has its own
// actor, which identifies it in the history.
func (s *Simulation) act(id string, action saga.Action) {
	action.ID, action.Actor = s.newID(), s.newActor()
	var in saga.Instance
	var err error
	s.evidence.asks(id, action)
	heard := s.callReplica(func(r *replica) { in, err = r.engine.Act(s.patience(), id, action) })
	var refusal *saga.Refusal
	switch {
	case !heard || errors.Is(err, record.ErrUnavailable): // the outcome is unknown
	case errors.As(err, &refusal):
		s.evidence.refused(id, action)
	case err != nil:
		s.evidence.violate(id, "actions are answered", fmt.Sprintf("%s: %v", action.Name, err))
	default:
		s.evidence.accepted(id, action, in.Revision)
	}
}

func (s *Simulation) newActor() string {
	s.actors++
	return "operator-" + strconv.Itoa(s.actors)
}

// repair makes operators handle what needs them until no saga does.
func (s *Simulation) repair() {
	for !s.atRest() {
		for _, d := range s.evidence.sagas {
			s.attend(d)
		}
		s.sleep(time.Second)
	}
}

// attend requests one of the actions that a saga allows.
func (s *Simulation) attend(d *sagaEvidence) {
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
		s.act(id, saga.Action{Name: saga.ActionResume, Reason: "go on"})
	case in.Status == saga.Stuck || in.Status.Terminal() && len(allowed) > 0:
		name := allowed[s.chance.IntN(len(allowed))]
		if s.hit(0.5) {
			name = allowed[0] // retry, or compensate a late effect
		}
		s.act(id, saga.Action{Name: name, Step: step, To: in.Steps[0].Name, Patch: json.RawMessage(`{"patched":true}`), Reason: "repaired"})
	}
}

func (s *Simulation) def(in *saga.Instance) *saga.Definition {
	for _, def := range s.definitions {
		if def.Name == in.Definition {
			return def
		}
	}
	panic("a saga without a definition")
}
