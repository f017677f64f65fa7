// Package goroutines keeps goroutines for later calls.
package goroutines

import "sync"

// Pool runs each call at once, on an idle goroutine or on a new one. Its goroutines stay for later calls: a new goroutine
// for every command would have to grow its stack every time.
// It keeps as many goroutines as calls ran at the same time, so its user limits that number. A call may end its goroutine
// with runtime.Goexit.
type Pool struct {
	idle    chan func() // unbuffered: only an idle goroutine receives
	running sync.WaitGroup
}

// NewPool returns an empty pool. Close it.
func NewPool() *Pool { return &Pool{idle: make(chan func())} }

// Run runs the call on another goroutine. It does not wait for the call.
func (p *Pool) Run(call func()) {
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

// Close waits for the running calls and ends the goroutines. No call may follow.
func (p *Pool) Close() {
	close(p.idle)
	p.running.Wait()
}
