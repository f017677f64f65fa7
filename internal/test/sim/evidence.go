package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// evidence is what was seen from outside: what was committed, what the broker was given, what the services did, and what
// callers were told. The judge needs nothing else.
type evidence struct {
	world       *World
	sagas       []*dossier // in the order of their making
	known       map[string]*dossier
	requests    map[int]string // number of a start → saga
	letters     int
	healthyFrom time.Duration // 0: never
	story       string        // the saga that is told of
	told        []string
	violations  []Violation
}

// Violation is a rule that did not hold.
type Violation struct {
	Saga string // empty: it concerns none in particular
	Rule string
	What string
}

// dossier is the evidence on one saga.
type dossier struct {
	id           string
	plan         *saga.Definition
	request      string
	instance     saga.Instance // as committed last
	entries      []saga.Entry
	commands     map[string]sent // by command id
	heard        []heard
	effects      []effect
	contradicted map[string]bool // steps of which a service has said both
	calls        []call
}

// sent is a command that was committed, and perhaps published.
type sent struct {
	content uint64    // a hash
	at      time.Time // when it was in its queue for the first time; zero: never
}

// heard is a success that a replica has acknowledged, so that it will not be said again.
type heard struct {
	step  string
	round int // of the compensation; 0: the step was done
}

// effect is something that a service has done, or undone.
type effect struct {
	step   string
	undone bool
	key    string
	output json.RawMessage
	at     time.Time
}

func newEvidence(w *World, story string) *evidence {
	return &evidence{world: w, known: make(map[string]*dossier), requests: make(map[int]string), story: story}
}

func (e *evidence) accuse(sagaID, rule, what string) {
	e.violations = append(e.violations, Violation{Saga: sagaID, Rule: rule, What: what})
}

// tell adds a line to the story of the saga that is told of.
func (e *evidence) tell(sagaID, format string, arguments ...any) {
	if e.story == sagaID && sagaID != "" {
		e.note(format, arguments...)
	}
}

// note adds a line about something that concerns all sagas.
func (e *evidence) note(format string, arguments ...any) {
	if e.story != "" {
		e.told = append(e.told, fmt.Sprintf("%9.3f  %s", e.world.now.Seconds(), fmt.Sprintf(format, arguments...)))
	}
}

// committed takes down what a transaction has written.
func (e *evidence) committed(changes record.Changes) {
	for i := range changes.Created {
		in := &changes.Created[i]
		d := &dossier{
			id: in.ID, plan: e.world.plan(in), request: in.Labels[requestLabel],
			commands: make(map[string]sent, 2*len(in.Steps)), entries: make([]saga.Entry, 0, 4*len(in.Steps)),
		}
		e.known[in.ID] = d
		e.sagas = append(e.sagas, d)
		e.advance(d, in)
	}
	for i := range changes.Updated {
		e.advance(e.known[changes.Updated[i].ID], &changes.Updated[i])
	}
	for i := range changes.Entries {
		d := e.known[changes.Entries[i].SagaID]
		d.entries = append(d.entries, changes.Entries[i].Entry)
		e.tell(d.id, "        %s", line(&changes.Entries[i].Entry))
	}
	for i := range changes.Commands {
		c := &changes.Commands[i]
		id := c.ID.String()
		d := e.known[c.ID.Saga]
		if _, twice := d.commands[id]; twice {
			e.accuse(d.id, "a command is decided once", id)
		}
		d.commands[id] = sent{content: content(c)}
	}
	for i := range changes.DeadLetters {
		e.letter(&changes.DeadLetters[i])
	}
}

func (e *evidence) letter(letter *record.DeadLetter) {
	e.letters++
	e.accuse(letter.SagaID, "replies are understood", letter.Reason+": "+letter.Message)
}

// advance notes the next state of a saga.
func (e *evidence) advance(d *dossier, in *saga.Instance) {
	if in.Revision < d.instance.Revision {
		e.accuse(d.id, "revisions grow", fmt.Sprintf("%d after %d", in.Revision, d.instance.Revision))
	}
	d.instance = *in
	e.world.mixText(in.ID)
	e.world.mix(uint64(in.Revision)) //nolint:gosec // never negative
}

// published takes down that a command is in its queue.
func (e *evidence) published(command *wire.Command) {
	id := command.ID.String()
	d := e.known[command.ID.Saga]
	e.tell(command.ID.Saga, "published    %s", id)
	if d == nil {
		e.accuse(command.ID.Saga, "nothing is published that is not committed", id)
		return
	}
	switch committed, known := d.commands[id]; {
	case !known:
		e.accuse(d.id, "nothing is published that is not committed", id)
	case committed.content != content(command):
		e.accuse(d.id, "a command id stands for one body", id)
	case committed.at.IsZero():
		committed.at = e.world.time()
		d.commands[id] = committed
	}
}

func content(command *wire.Command) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write(command.Body) // a hash never fails to write
	_, _ = hash.Write([]byte(command.Name + " " + command.Queue))
	return hash.Sum64()
}

// effect takes down what a service has committed.
func (e *evidence) effect(command wire.Delivery, output json.RawMessage) {
	d := e.known[command.ID.Saga]
	e.world.mixText(command.ID.String())
	e.tell(d.id, "effect of    %s %s", command.ID, output)
	d.effects = append(d.effects, effect{
		step: command.ID.Step, undone: command.ID.Direction == saga.Compensate, key: command.ID.IdempotencyKey(),
		output: output, at: e.world.time(),
	})
}

// acknowledged takes down that a reply will not come again.
func (e *evidence) acknowledged(reply wire.Message) {
	id, err := saga.ParseCommandID(reply.CorrelationID)
	if err != nil {
		panic(err) // sent by a simulated worker
	}
	d := e.known[id.Saga]
	if d == nil || readReply(reply.Body).Status != succeeded {
		return
	}
	said := heard{step: id.Step, round: id.Round}
	if id.Direction == saga.Execute {
		said.round = 0
	}
	d.heard = append(d.heard, said)
}

// given takes down what a compensation was told of what it undoes, by the barrier and, where it knew, by the saga.
func (e *evidence) given(command wire.Delivery, output json.RawMessage) {
	if command.Output != nil && output != nil && string(command.Output) != string(output) {
		e.accuse(command.ID.Saga, "a compensation gets the output of what it undoes", string(command.Output)+", not "+string(output))
	}
}

// contradicts takes down that a service has said that a command failed, and something else besides.
func (e *evidence) contradicts(id saga.CommandID) {
	d := e.known[id.Saga]
	if d.contradicted == nil {
		d.contradicted = make(map[string]bool)
	}
	d.contradicted[id.Step] = true
	e.tell(d.id, "contradicted %s", id)
}
