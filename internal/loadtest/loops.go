package loadtest

import (
	"sync"
	"sync/atomic"
	"time"
)

// closed keeps exactly InFlight sagas under way until over, and returns when the last has ended.
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

// open begins Rate sagas per second until over, and returns how many when the last has ended. When as many as InFlight are under
// way the next ones begin late, and their time runs from when they should have begun: a system that stands still does
// not hide by it how long its callers would have waited.
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
