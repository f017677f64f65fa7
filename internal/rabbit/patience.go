package rabbit

import "time"

// settlePatience is how long a settlement waits for others. For a quorum queue each acknowledgement is a disk write,
// like a message, and delays messages beside it. The wait costs only redeliveries after a crash.
const settlePatience = 20 * time.Millisecond

// patience reports when settlements have waited long enough.
type patience struct {
	timer   *time.Timer
	waiting bool
}

func newPatience() *patience {
	p := &patience{timer: time.NewTimer(settlePatience)}
	p.timer.Stop()
	return p
}

// begin starts the wait with the first settlement.
func (p *patience) begin() {
	if !p.waiting {
		p.waiting = true
		p.timer.Reset(settlePatience)
	}
}

// end stops the wait.
func (p *patience) end() {
	p.waiting = false
	p.timer.Stop()
}

func (p *patience) over() <-chan time.Time { return p.timer.C }
