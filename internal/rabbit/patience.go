package rabbit

import "time"

// settlePatience is how long what is settled waits for company. To a quorum queue each acknowledgement is a write to disk
// like a message, and one that comes beside a message keeps that one waiting. Nobody waits for an acknowledgement; what
// it costs is that a process which dies leaves so much more to be delivered again.
const settlePatience = 20 * time.Millisecond

// patience tells when what is due has waited long enough.
type patience struct {
	timer   *time.Timer
	waiting bool
}

func newPatience() *patience {
	p := &patience{timer: time.NewTimer(settlePatience)}
	p.timer.Stop()
	return p
}

// begin counts from the first that is due.
func (p *patience) begin() {
	if !p.waiting {
		p.waiting = true
		p.timer.Reset(settlePatience)
	}
}

// end forgets what it has waited for.
func (p *patience) end() {
	p.waiting = false
	p.timer.Stop()
}

func (p *patience) over() <-chan time.Time { return p.timer.C }
