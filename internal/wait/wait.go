// Package wait holds the ways in which a goroutine waits here: for a signal, for a while, or for its peers.
package wait

import (
	"context"
	"runtime"
	"time"
)

// Signal tells one waiting goroutine that something may have happened. Signals that come before the receive merge into
// one. The zero Signal never fires.
type Signal struct{ c chan struct{} }

// NewSignal returns a Signal that has not fired.
func NewSignal() Signal { return Signal{make(chan struct{}, 1)} }

// Notify fires the signal. It never blocks.
func (s Signal) Notify() {
	select {
	case s.c <- struct{}{}:
	default:
	}
}

// C has a value when something may have happened since the last receive.
func (s Signal) C() <-chan struct{} { return s.c }

// For waits for d. It reports false if ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Yield lets the other runnable goroutines run first, so that what they add at this moment joins the caller's batch. On
// few cores they would otherwise follow one by one, each in a batch of its own.
func Yield() { runtime.Gosched() }
