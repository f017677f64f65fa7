package rabbit

import "sync"

// pool runs each call at once, on an idle goroutine or on a new one. Its goroutines stay for later calls: a new
// goroutine for every command would have to grow its stack every time.
// It keeps as many goroutines as calls ran at the same time, so its user limits that number.
type pool struct {
	idle    chan func() // unbuffered: only an idle goroutine receives
	running sync.WaitGroup
}

func (p *pool) run(call func()) {
	select {
	case p.idle <- call:
	default:
		p.running.Go(func() {
			for more := true; more; call, more = <-p.idle {
				call()
			}
		})
	}
}

// close waits for the running calls and ends the goroutines. No call may follow.
func (p *pool) close() {
	close(p.idle)
	p.running.Wait()
}
