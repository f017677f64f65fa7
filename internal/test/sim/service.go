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
	codeFinal  = "final" // a code after which no definition here tries again
)

var errCommit = errors.New("whether the transaction committed is unknown")

// work is one command in the hands of a worker, who treats it as steps.HandleTx does.
type work struct {
	world    *World
	delivery *delivery
	command  wire.Delivery
	worker   *process
}

// serve lets a worker deal with a delivery, from taking it to settling it.
func (w *World) serve(worker *process, d *delivery) {
	w.spawn(worker, func() {
		command, err := wire.DecodeCommand(d.Message)
		if err != nil {
			panic(err) // the relay has published what is no command
		}
		k := &work{world: w, delivery: d, command: command, worker: worker}
		w.pause()
		k.settle(k.handle())
	})
}

// handle does the command, once for every time that its transaction fails, and says how to settle it.
func (k *work) handle() wire.Answer {
	w := k.world
	if w.happens(workerRejects) {
		return wire.Answer{Settlement: wire.Rejected}
	}
	for {
		if k.late() && k.command.ID.Direction == saga.Execute {
			w.count(workerLate)
			return wire.Answer{Settlement: wire.Dropped}
		}
		answer, err := k.pass()
		if err == nil {
			return answer
		}
		w.sleep(w.between(10*time.Millisecond, 100*time.Millisecond))
	}
}

func (k *work) late() bool {
	return !k.command.Deadline.IsZero() && k.command.Deadline.Before(k.world.time())
}

// pass takes the command through the barrier, in one transaction.
func (k *work) pass() (wire.Answer, error) {
	w := k.world
	key := k.command.ID.IdempotencyKey()
	passage := w.barrier.Begin()
	defer passage.Rollback()
	stored, output, err := w.enter(passage, key, k.command.ID.Attempt)
	if err != nil {
		return wire.Answer{}, err
	}
	if stored != nil {
		passage.Commit()
		return wire.Answer{Settlement: wire.Replied, Reply: stored}, nil
	}
	w.pause()
	if w.happens(workerSlow) {
		w.sleep(w.between(time.Second, 20*time.Second))
	}
	if k.late() && k.command.ID.Direction == saga.Execute {
		return wire.Answer{Settlement: wire.Dropped}, nil // it ran out of time, and its work is rolled back
	}
	reply, effect := k.attempt()
	if err := passage.Leave(key, reply); err != nil {
		return wire.Answer{}, err
	}
	w.pause()
	unknown := w.happens(workerCommit)
	if unknown && w.hit(0.5) {
		return wire.Answer{}, errCommit
	}
	passage.Commit()
	if effect {
		w.evidence.given(k.command, output)
		w.evidence.effect(k.command, readReply(reply).Output)
	}
	if unknown {
		return wire.Answer{}, errCommit
	}
	return wire.Answer{Settlement: wire.Replied, Reply: reply}, nil
}

// enter waits for its turn.
func (w *World) enter(passage *Passage, key string, attempt int) (reply, output json.RawMessage, err error) {
	for {
		reply, output, err = passage.Enter(key, attempt)
		if !errors.Is(err, ErrBusy) {
			return reply, output, err
		}
		passage.Rollback()
		w.sleep(w.between(time.Millisecond, 20*time.Millisecond))
	}
}

// attempt does the work itself, and says whether it had an effect.
func (k *work) attempt() (reply json.RawMessage, effect bool) {
	w := k.world
	switch {
	case w.happens(failsForGood) && k.command.ID.Direction == saga.Execute:
		return encoded(wire.Failed(codeFinal, "simulated", w.hit(0.5))), false
	case w.happens(failsOnce):
		return encoded(wire.Failed(codeFailed, "simulated", true)), false
	case k.command.ID.Direction == saga.Compensate:
		return encoded(wire.Succeeded(nil)), true
	default:
		output := `{"` + k.command.ID.Step + `":` + strconv.Itoa(w.chance.IntN(1_000_000)) + `}`
		return encoded(wire.Succeeded(json.RawMessage(output))), true
	}
}

func encoded(reply wire.Reply) json.RawMessage {
	body, err := reply.Encode()
	if err != nil {
		panic(err) // made by the simulation itself
	}
	return body
}

// settle sends the reply and settles the command, in this order.
func (k *work) settle(answer wire.Answer) {
	w := k.world
	w.pause()
	switch answer.Settlement {
	case wire.Rejected:
		w.broker.reject(k.delivery)
		return
	case wire.Replied:
		if w.happens(workerSilent) {
			break
		}
		if w.happens(workerContradicts) {
			w.evidence.contradicts(k.command.ID)
			k.reply(encoded(wire.Failed(codeFinal, "contradicts itself", false)))
		}
		k.reply(answer.Reply)
		if w.happens(workerRepeats) {
			k.reply(answer.Reply)
		}
	}
	w.pause()
	w.broker.acknowledge(k.delivery)
}

func (k *work) reply(body []byte) {
	k.world.broker.put(wire.Message{
		Queue: k.delivery.ReplyTo, MessageID: k.command.ID.String(), CorrelationID: k.command.ID.String(),
		ContentType: wire.ContentType, Body: body,
	})
	k.world.pause()
}
