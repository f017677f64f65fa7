package sim

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
)

// The states of a barrier's row, as barrier.sql has them.
const (
	begun     = "begun"
	succeeded = "succeeded"
	failed    = "failed"
	refused   = "refused"
	undone    = "undone"

	compensatedAlready = `{"status":"failed","error":{"code":"compensated_already",` +
		`"message":"the step was compensated before this command came","retryable":false}}`
	nothingToUndo = `{"status":"succeeded"}`
)

var (
	// ErrBusy means that another transaction holds what this one needs: Postgres would let it wait.
	ErrBusy = errors.New("held by another transaction")
	// ErrEntered means that a transaction entered one key twice, which Postgres refuses.
	ErrEntered = errors.New("entered in this transaction already")
	// ErrNotEntered means that a transaction leaves what it did not enter.
	ErrNotEntered = errors.New("not entered in this transaction")
)

// Barrier is an independent model of steps/barrier.sql, the table and its two functions, for one service.
type Barrier struct {
	rows    map[string]barrierRow // what is committed, by idempotency key
	holders map[string]*Passage   // of rows that are locked
}

type barrierRow struct {
	outcome string
	attempt int
	reply   json.RawMessage
}

// NewBarrier makes the barrier of a service that has seen nothing yet.
func NewBarrier() *Barrier {
	return &Barrier{rows: make(map[string]barrierRow), holders: make(map[string]*Passage)}
}

// Passage is one transaction of a service. After an error it can only be rolled back.
type Passage struct {
	barrier *Barrier
	written map[string]barrierRow // and not committed yet
	locked  []string
}

// Begin begins a transaction.
func (b *Barrier) Begin() *Passage {
	return &Passage{barrier: b, written: make(map[string]barrierRow, 2)}
}

// Enter is saga_barrier_enter. A reply that is not nil is the answer, and there is nothing to do.
func (p *Passage) Enter(key string, attempt int) (reply, output json.RawMessage, err error) {
	if !p.lock(key) {
		return nil, nil, ErrBusy
	}
	mine, known := p.row(key)
	switch {
	case !known:
	case mine.outcome == begun:
		return nil, nil, ErrEntered
	case mine.outcome == refused || mine.outcome == undone:
		return json.RawMessage(compensatedAlready), nil, nil
	case mine.outcome == succeeded || attempt <= mine.attempt:
		return mine.reply, nil, nil
	}
	p.written[key] = barrierRow{outcome: begun, attempt: attempt}
	execute := executeKey(key)
	if key == execute {
		return nil, nil, nil
	}
	if !p.lock(execute) {
		return nil, nil, ErrBusy
	}
	effect, known := p.row(execute)
	switch {
	case known && effect.outcome == succeeded:
		return nil, readReply(effect.reply).Output, nil
	case !known:
		p.written[execute] = barrierRow{outcome: refused}
	case effect.outcome == failed:
		effect.outcome = refused
		p.written[execute] = effect
	}
	reply = json.RawMessage(nothingToUndo)
	return reply, nil, p.Leave(key, reply)
}

// Leave is saga_barrier_leave.
func (p *Passage) Leave(key string, reply json.RawMessage) error {
	mine, known := p.row(key)
	if !known || mine.outcome != begun {
		return ErrNotEntered
	}
	mine.outcome, mine.reply = readReply(reply).Status, reply
	p.written[key] = mine
	execute := executeKey(key)
	if effect, known := p.row(execute); key != execute && mine.outcome == succeeded && known && effect.outcome == succeeded {
		effect.outcome = undone
		p.written[execute] = effect
	}
	return nil
}

// Commit makes good what the transaction wrote.
func (p *Passage) Commit() {
	maps.Copy(p.barrier.rows, p.written)
	p.Rollback()
}

// Rollback ends the transaction and forgets what it wrote, if it was not committed.
func (p *Passage) Rollback() {
	for _, key := range p.locked {
		delete(p.barrier.holders, key)
	}
	p.locked = nil
	clear(p.written)
}

// lock is false where another transaction holds the row.
func (p *Passage) lock(key string) bool {
	holder := p.barrier.holders[key]
	if holder == nil {
		p.barrier.holders[key] = p
		p.locked = append(p.locked, key)
	}
	return holder == nil || holder == p
}

// row is a row as this transaction sees it.
func (p *Passage) row(key string) (barrierRow, bool) {
	row, known := p.written[key]
	if !known {
		row, known = p.barrier.rows[key]
	}
	return row, known
}

// executeKey is the key of the command that the command of this key is, or undoes.
func executeKey(key string) string { return key[:strings.LastIndexByte(key, '/')+1] + "execute" }

type barrierReply struct {
	Status string          `json:"status"`
	Output json.RawMessage `json:"output"`
}

// readReply reads a reply that a service has made itself.
func readReply(reply json.RawMessage) barrierReply {
	var read barrierReply
	if err := json.Unmarshal(reply, &read); err != nil {
		panic(err)
	}
	return read
}
