package sim

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	codeFailed = "failed"
	codeFinal  = "final" // a non-retryable code
)

var errCommit = errors.New("whether the transaction committed is unknown")

// work is one command at a worker, handled as steps.HandleTx does.
type work struct {
	sim      *Simulation
	delivery *delivery
	command  wire.Delivery
	worker   *process
}

// serve lets a worker handle a delivery and settle it.
func (s *Simulation) serve(worker *process, d *delivery) {
	s.spawn(worker, func() {
		command, err := wire.DecodeCommand(d.Message)
		if err != nil {
			panic(err) // the relay published an invalid command
		}
		k := &work{sim: s, delivery: d, command: command, worker: worker}
		s.pause()
		k.settle(k.handle())
	})
}

// handle retries the command until its transaction succeeds, and returns how to settle it.
func (k *work) handle() wire.Answer {
	s := k.sim
	if s.draw(workerRejects) {
		return wire.Answer{Settlement: wire.Rejected}
	}
	for {
		if k.late() && k.command.ID.Direction == saga.Execute {
			s.count(workerLate)
			return wire.Answer{Settlement: wire.Dropped}
		}
		answer, err := k.pass()
		if err == nil {
			return answer
		}
		s.sleep(s.between(10*time.Millisecond, 100*time.Millisecond))
	}
}

func (k *work) late() bool {
	return !k.command.Deadline.IsZero() && k.command.Deadline.Before(k.sim.time())
}

// pass handles the command in one barrier transaction.
func (k *work) pass() (wire.Answer, error) {
	s := k.sim
	key := k.command.ID.IdempotencyKey()
	tx := s.barrier.Begin()
	defer tx.Rollback()
	stored, output, err := s.enter(tx, k.command)
	if err != nil {
		return wire.Answer{}, err
	}
	if stored != nil {
		tx.Commit()
		return wire.Answer{Settlement: wire.Replied, Reply: stored}, nil
	}
	s.pause()
	if s.draw(workerSlow) {
		s.sleep(s.between(time.Second, 20*time.Second))
	}
	if k.late() && k.command.ID.Direction == saga.Execute {
		return wire.Answer{Settlement: wire.Dropped}, nil // the deadline passed, so its work is rolled back
	}
	reply, effect := k.attempt()
	if err := tx.Leave(key, reply); err != nil {
		return wire.Answer{}, err
	}
	s.pause()
	unknown := s.draw(workerCommit)
	if unknown && s.hit(0.5) {
		return wire.Answer{}, errCommit
	}
	tx.Commit()
	if effect {
		s.evidence.given(k.command, output)
		s.evidence.effect(k.command, readReply(reply).Output)
	}
	if unknown {
		return wire.Answer{}, errCommit
	}
	return wire.Answer{Settlement: wire.Replied, Reply: reply}, nil
}

// enter retries until the rows are free.
func (s *Simulation) enter(tx *BarrierTx, command wire.Delivery) (reply, output json.RawMessage, err error) {
	for {
		reply, output, err = tx.Enter(command.ID.IdempotencyKey(), command.ID.Attempt, executedBy(command).IdempotencyKey(), command.Waited)
		if !errors.Is(err, ErrBusy) {
			return reply, output, err
		}
		tx.Rollback()
		s.sleep(s.between(time.Millisecond, 20*time.Millisecond))
	}
}

// executedBy returns the id of the execution that a command makes or compensates.
func executedBy(command wire.Delivery) saga.CommandID {
	id := saga.CommandID{Saga: command.ID.Saga, Step: command.ID.Step, Direction: saga.Execute, Round: 1}
	if command.ID.Direction == saga.Execute {
		id.Round = command.ID.Round
	}
	if command.Compensates != "" {
		executed, err := saga.ParseCommandID(command.Compensates + "/1")
		if err != nil {
			panic(err) // wire has read it
		}
		id.Round = executed.Round
	}
	return id
}

// attempt does the work and reports whether it had an effect.
func (k *work) attempt() (reply json.RawMessage, effect bool) {
	s := k.sim
	switch {
	case s.draw(failsFinally) && k.command.ID.Direction == saga.Execute:
		return encoded(wire.Failed(codeFinal, "simulated", s.hit(0.5))), false
	case s.draw(failsOnce):
		return encoded(wire.Failed(codeFailed, "simulated", true)), false
	case k.command.ID.Direction == saga.Compensate:
		return encoded(wire.Succeeded(nil)), true
	default:
		output := `{"` + k.command.ID.Step + `":` + strconv.Itoa(s.chance.IntN(1_000_000)) + `}`
		return encoded(wire.Succeeded(json.RawMessage(output))), true
	}
}

func encoded(reply wire.Reply) json.RawMessage {
	body, err := reply.Encode()
	if err != nil {
		panic(err) // the simulation made it
	}
	return body
}

// settle sends the reply and then settles the command.
func (k *work) settle(answer wire.Answer) {
	s := k.sim
	s.pause()
	switch answer.Settlement {
	case wire.Rejected:
		s.broker.reject(k.delivery)
		return
	case wire.Replied:
		if s.draw(workerSilent) {
			break
		}
		if s.draw(workerContradicts) {
			s.evidence.contradicts(k.command.ID)
			k.reply(encoded(wire.Failed(codeFinal, "contradicts itself", false)))
		}
		k.reply(answer.Reply)
		if s.draw(workerRepeats) {
			k.reply(answer.Reply)
		}
	}
	s.pause()
	s.broker.acknowledge(k.delivery)
}

func (k *work) reply(body []byte) {
	k.sim.broker.put(wire.Message{
		Queue: k.delivery.ReplyTo, MessageID: k.command.ID.String(), CorrelationID: k.command.ID.String(),
		ContentType: wire.ContentType, Body: body,
	})
	k.sim.pause()
}
