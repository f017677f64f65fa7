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

// evidence records what is visible from outside: commits, publishes, effects of services, and answers to callers. The
// checker needs nothing else.
type evidence struct {
	sim         *Simulation
	sagas       []*sagaEvidence // in the order of their creation
	known       map[string]*sagaEvidence
	requests    map[int]string // number of a start → saga id
	letters     int
	healthyFrom time.Duration                        // 0: never
	left        map[string]map[string]saga.CommandID // execute commands that left under a cap and may be awaited, by queue
	traced      string                               // the saga that is traced
	trace       []string
	violations  []Violation
}

// Violation is a broken rule.
type Violation struct {
	Saga string // empty: no saga in particular
	Rule string
	What string
}

// sagaEvidence is the evidence on one saga.
type sagaEvidence struct {
	id           string
	def          *saga.Definition
	request      string
	instance     saga.Instance // as committed last
	entries      []saga.Entry
	commands     map[string]sent // by command id
	heard        []heard
	effects      []effect
	contradicted map[string]bool // steps for which a service sent contradicting replies
	calls        []call
	signals      []signalCall
}

// sent is a committed command, perhaps published.
type sent struct {
	content uint64    // a hash
	at      time.Time // when it reached its queue first; zero: never
	gone    bool      // withdrawn: no worker may ever get it
}

// heard is a success that a replica acknowledged, so it will not be redelivered.
type heard struct {
	step      string
	round     int // of the compensation; 0: of the step
	execution int // of the step; 0: of its compensation
}

// effect is what a service did or compensated.
type effect struct {
	step        string
	execution   int // which one took effect or was compensated
	compensated bool
	key         string
	output      json.RawMessage
	at          time.Time
}

func newEvidence(s *Simulation, traced string) *evidence {
	return &evidence{sim: s, known: make(map[string]*sagaEvidence), requests: make(map[int]string), left: make(map[string]map[string]saga.CommandID), traced: traced}
}

func (e *evidence) violate(sagaID, rule, what string) {
	e.violations = append(e.violations, Violation{Saga: sagaID, Rule: rule, What: what})
}

// traceSaga adds a line to the trace if the saga is traced.
func (e *evidence) traceSaga(sagaID, format string, arguments ...any) {
	if e.traced == sagaID && sagaID != "" {
		e.traceLine(format, arguments...)
	}
}

// traceLine adds a line that concerns all sagas.
func (e *evidence) traceLine(format string, arguments ...any) {
	if e.traced != "" {
		e.trace = append(e.trace, fmt.Sprintf("%9.3f  %s", e.sim.now.Seconds(), fmt.Sprintf(format, arguments...)))
	}
}

// committed records what a transaction wrote.
func (e *evidence) committed(changes record.Changes) {
	for i := range changes.Created {
		in := &changes.Created[i]
		d := &sagaEvidence{
			id: in.ID, def: e.sim.def(in), request: in.Labels[requestLabel],
			commands: make(map[string]sent, 2*len(in.Steps)), entries: make([]saga.Entry, 0, 4*len(in.Steps)),
		}
		if in.Parent != nil {
			d.request = e.known[in.Parent.Saga].request
		}
		e.known[in.ID] = d
		e.sim.signalAll(d)
		e.sagas = append(e.sagas, d)
		e.advance(d, in)
	}
	for i := range changes.Updated {
		e.advance(e.known[changes.Updated[i].ID], &changes.Updated[i])
	}
	for i := range changes.Entries {
		d := e.known[changes.Entries[i].SagaID]
		d.entries = append(d.entries, changes.Entries[i].Entry)
		e.traceSaga(d.id, "        %s", line(&changes.Entries[i].Entry))
	}
	for i := range changes.Commands {
		c := &changes.Commands[i]
		if c.Held {
			e.sim.count(heldBack)
		}
		id := c.ID.String()
		d := e.known[c.ID.Saga]
		if _, twice := d.commands[id]; twice {
			e.violate(d.id, "a command is decided once", id)
		}
		d.commands[id] = sent{content: content(c)}
	}
	for _, id := range changes.Withdrawn {
		e.withdrawn(id)
	}
	for i := range changes.DeadLetters {
		if changes.DeadLetters[i].Source != record.SourceCommand { // a command that a worker rejects is one, too
			e.letter(&changes.DeadLetters[i])
		}
	}
}

func (e *evidence) letter(letter *record.DeadLetter) {
	e.letters++
	e.violate(letter.SagaID, "replies are understood", letter.Reason+": "+letter.Message)
}

// advance records the next state of a saga.
func (e *evidence) advance(d *sagaEvidence, in *saga.Instance) {
	if in.Revision < d.instance.Revision {
		e.violate(d.id, "revisions grow", fmt.Sprintf("%d after %d", in.Revision, d.instance.Revision))
	}
	d.instance = *in
	e.sim.mixText(in.ID)
	e.sim.mix(uint64(in.Revision))
}

// published records that a command is in its queue.
func (e *evidence) published(command *wire.Command) {
	id := command.ID.String()
	d := e.known[command.ID.Saga]
	e.traceSaga(command.ID.Saga, "published    %s", id)
	if d == nil {
		e.violate(command.ID.Saga, "only committed commands are published", id)
		return
	}
	switch committed, known := d.commands[id]; {
	case !known:
		e.violate(d.id, "only committed commands are published", id)
	case committed.content != content(command):
		e.violate(d.id, "a command id stands for one body", id)
	case committed.gone:
		e.violate(d.id, "what is withdrawn is not sent", id)
	case committed.at.IsZero():
		committed.at = e.sim.time()
		d.commands[id] = committed
	}
}

func content(command *wire.Command) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write(command.Body) // a hash never fails to write
	_, _ = hash.Write([]byte(command.Name + " " + command.Queue))
	return hash.Sum64()
}

// effect records what a service committed.
func (e *evidence) effect(command wire.Delivery, output json.RawMessage) {
	d := e.known[command.ID.Saga]
	e.sim.mixText(command.ID.String())
	e.traceSaga(d.id, "effect of    %s %s", command.ID, output)
	d.effects = append(d.effects, effect{
		step: command.ID.Step, execution: executedBy(command).Round, compensated: command.ID.Direction == saga.Compensate, key: command.ID.IdempotencyKey(),
		output: output, at: e.sim.time(),
	})
}

// acknowledged records that a reply will not be redelivered.
func (e *evidence) acknowledged(reply wire.Message) {
	id, err := saga.ParseCommandID(reply.CorrelationID)
	if err != nil {
		panic(err) // a simulated worker sent it
	}
	d := e.known[id.Saga]
	if d == nil || readReply(reply.Body).Status != succeeded {
		return
	}
	said := heard{step: id.Step, round: id.Round}
	if id.Direction == saga.Execute {
		said.round, said.execution = 0, id.Round
	}
	d.heard = append(d.heard, said)
}

// given compares the outputs that the barrier and the saga gave to a compensation.
func (e *evidence) given(command wire.Delivery, output json.RawMessage) {
	if command.Output != nil && output != nil && string(command.Output) != string(output) {
		e.violate(command.ID.Saga, "a compensation gets the output of its step", string(command.Output)+", not "+string(output))
	}
}

// contradicts records that a service reported a failure and also something else.
func (e *evidence) contradicts(id saga.CommandID) {
	d := e.known[id.Saga]
	if d.contradicted == nil {
		d.contradicted = make(map[string]bool)
	}
	d.contradicted[id.Step] = true
	e.traceSaga(d.id, "contradicted %s", id)
}
