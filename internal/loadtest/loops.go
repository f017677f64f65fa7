package loadtest

import (
	"sync"
	"sync/atomic"
	"time"
)

// closed keeps exactly InFlight sagas under way until over is closed. It returns when the last saga has ended.
func (l Load) closed(over <-chan struct{}, run func(n int, from time.Time)) {
	var next atomic.Int64
	var places sync.WaitGroup
	for range l.InFlight {
		places.Go(func() {
			for !isClosed(over) {
				run(int(next.Add(1)-1), time.Now())
			}
		})
	}
	places.Wait()
}

// open begins Rate sagas per second until over is closed, and returns their number when the last saga has ended. While
// InFlight sagas are under way, the next ones begin late, but their latency counts from the intended time: a stalled system
// cannot hide how long its callers would have waited.
func (l Load) open(over <-chan struct{}, run func(n int, from time.Time)) (begun int) {
	places := make(chan struct{}, l.InFlight)
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var sagas sync.WaitGroup
	defer sagas.Wait()
	for n := 0; ; n++ {
		intended := began.Add(time.Duration(float64(n) / l.Rate * float64(time.Second)))
		if wait := time.Until(intended); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-over:
				return n
			}
		}
		select {
		case places <- struct{}{}:
		case <-over:
			return n
		}
		sagas.Go(func() {
			defer func() { <-places }()
			run(n, intended)
		})
	}
}

func isClosed(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}
