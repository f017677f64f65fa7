package sim

import (
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The outcomes of a row, as in barrier.sql.
const (
	begun       = "begun"
	succeeded   = "succeeded"
	failed      = "failed"
	refused     = "refused"
	compensated = "undone"

	alreadyCompensated = `{"status":"failed","error":{"code":"compensated_already",` +
		`"message":"the step was compensated before this command came","retryable":false}}`
	nothingToCompensate = `{"status":"succeeded"}`
)

var (
	// ErrBusy means that another transaction holds a lock on the row. Postgres would wait.
	ErrBusy = errors.New("held by another transaction")
	// ErrEntered means that a transaction entered a key twice, which Postgres refuses.
	ErrEntered = errors.New("entered in this transaction already")
	// ErrNotEntered means that a transaction leaves a key that it did not enter.
	ErrNotEntered = errors.New("not entered in this transaction")
)

// Barrier is an independent model of steps/barrier.sql, for one service.
type Barrier struct {
	rows    map[string]barrierRow // committed, by idempotency key
	holders map[string]*BarrierTx // of locked rows
}

type barrierRow struct {
	outcome     string
	attempt     int
	reply       json.RawMessage
	compensates string // of a compensation: the key of its execution
}

// NewBarrier returns the barrier of a new service.
func NewBarrier() *Barrier {
	return &Barrier{rows: make(map[string]barrierRow), holders: make(map[string]*BarrierTx)}
}

// BarrierTx is one transaction of a service. After an error it can only be rolled back.
type BarrierTx struct {
	barrier *Barrier
	written map[string]barrierRow // not committed yet
	locked  []string
}

// Begin begins a transaction.
func (b *Barrier) Begin() *BarrierTx {
	return &BarrierTx{barrier: b, written: make(map[string]barrierRow, 2)}
}

// Enter is saga_barrier_enter; executed is "" for null, and waited means that no command executed the step. A non-nil reply is the answer, and the handler must not run.
func (p *BarrierTx) Enter(key string, attempt int, executed string, waited bool) (reply, output json.RawMessage, err error) {
	if !p.lock(key) {
		return nil, nil, ErrBusy
	}
	mine, known := p.row(key)
	switch {
	case !known:
	case mine.outcome == begun:
		return nil, nil, ErrEntered
	case mine.outcome == refused || mine.outcome == compensated:
		return json.RawMessage(alreadyCompensated), nil, nil
	case mine.outcome == succeeded || attempt <= mine.attempt:
		return mine.reply, nil, nil
	}
	p.written[key] = barrierRow{outcome: begun, attempt: attempt}
	if action(key) != string(saga.Compensate) {
		return nil, nil, nil
	}
	execute := executed
	if execute == "" {
		execute = p.inEffect(key)
	}
	p.written[key] = barrierRow{outcome: begun, attempt: attempt, compensates: execute}
	if !p.lock(execute) {
		return nil, nil, ErrBusy
	}
	effect, known := p.row(execute)
	if waited && !known {
		effect, known = barrierRow{outcome: succeeded, reply: json.RawMessage(nothingToCompensate)}, true
		p.written[execute] = effect
	}
	switch {
	case known && effect.outcome == succeeded:
		return nil, readReply(effect.reply).Output, nil
	case !known:
		p.written[execute] = barrierRow{outcome: refused}
	case effect.outcome == failed:
		effect.outcome = refused
		p.written[execute] = effect
	}
	reply = json.RawMessage(nothingToCompensate)
	return reply, nil, p.Leave(key, reply)
}

// Leave is saga_barrier_leave.
func (p *BarrierTx) Leave(key string, reply json.RawMessage) error {
	mine, known := p.row(key)
	if !known || mine.outcome != begun {
		return ErrNotEntered
	}
	mine.outcome, mine.reply = readReply(reply).Status, reply
	p.written[key] = mine
	if effect, known := p.row(mine.compensates); mine.outcome == succeeded && known && effect.outcome == succeeded {
		effect.outcome = compensated
		p.written[mine.compensates] = effect
	}
	return nil
}

// Commit makes the writes of the transaction permanent.
func (p *BarrierTx) Commit() {
	maps.Copy(p.barrier.rows, p.written)
	p.Rollback()
}

// Rollback ends the transaction and drops its writes unless they were committed.
func (p *BarrierTx) Rollback() {
	for _, key := range p.locked {
		delete(p.barrier.holders, key)
	}
	p.locked = nil
	clear(p.written)
}

// lock returns false if another transaction holds the row.
func (p *BarrierTx) lock(key string) bool {
	holder := p.barrier.holders[key]
	if holder == nil {
		p.barrier.holders[key] = p
		p.locked = append(p.locked, key)
	}
	return holder == nil || holder == p
}

// row returns a row as this transaction sees it.
func (p *BarrierTx) row(key string) (barrierRow, bool) {
	row, known := p.written[key]
	if !known {
		row, known = p.barrier.rows[key]
	}
	return row, known
}

// action returns what the command of the key does, without its number.
func action(key string) string {
	name, _, _ := strings.Cut(key[strings.LastIndexByte(key, '/')+1:], "-")
	return name
}

// inEffect returns the key of the last execution of the key's step that is in effect, or of the first execution.
func (p *BarrierTx) inEffect(key string) string {
	first := key[:strings.LastIndexByte(key, '/')+1] + string(saga.Execute)
	latest := first
	for n := 2; n <= saga.MaxRewinds+1; n++ {
		again := first + "-" + strconv.Itoa(n)
		if row, known := p.row(again); known && row.outcome == succeeded {
			latest = again
		}
	}
	return latest
}

type barrierReply struct {
	Status string          `json:"status"`
	Output json.RawMessage `json:"output"`
}

// readReply parses a reply made by a simulated service.
func readReply(reply json.RawMessage) barrierReply {
	var read barrierReply
	if err := json.Unmarshal(reply, &read); err != nil {
		panic(err)
	}
	return read
}
