package main

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// span is a part of a lane: an attempt, or the wait for the next one.
type span struct {
	from, to time.Time // to is zero while it lasts
	waiting  bool
	mark     rune // how an attempt ended; 0: it has not
}

// The marks at the end of an attempt.
const (
	markDone    = '✓'
	markFailed  = '✗'
	markUnknown = '?'
	markSkipped = '»'
)

// stepLanes holds the attempts of a step over time, and those of its compensation.
type stepLanes struct{ forward, backward []span }

// lanesOf returns the lanes of each step in a saga's history.
func lanesOf(history []resource.HistoryEntry) map[string]*stepLanes {
	lanes := make(map[string]*stepLanes)
	for _, e := range history {
		if e.Step == "" {
			continue
		}
		lane := lanes[e.Step]
		if lane == nil {
			lane = &stepLanes{}
			lanes[e.Step] = lane
		}
		lane.add(e)
	}
	return lanes
}

// add applies an entry of the step.
func (l *stepLanes) add(e resource.HistoryEntry) {
	at := e.At.Time
	switch e.Type {
	case saga.EntryStepDispatched:
		begin(&l.forward, at, false)
	case saga.EntryCompensationSent:
		begin(&l.backward, at, false)
	case saga.EntryStepAttemptFailed, saga.EntryCompensationRetry:
		l.failed(at, markFailed)
	case saga.EntryStepTimedOut, saga.EntryStepLost:
		l.failed(at, markUnknown)
	case saga.EntryStepSucceeded:
		end(&l.forward, at, markDone)
	case saga.EntryStepFailed:
		end(&l.forward, at, markFailed)
	case saga.EntryStepUnknown:
		end(&l.forward, at, markUnknown)
	case saga.EntryStepCompensated:
		end(&l.backward, at, markDone)
	case saga.EntryCompensationExhausted:
		end(&l.backward, at, markFailed)
	case saga.EntryStepSkipped:
		end(l.current(), at, markSkipped)
	default: // an entry of the saga, or one that begins and ends nothing
	}
}

// current returns the lane on which the step moves: the backward one once it has begun.
func (l *stepLanes) current() *[]span {
	if len(l.backward) > 0 && (len(l.forward) == 0 || !l.forward[len(l.forward)-1].from.After(l.backward[len(l.backward)-1].from)) {
		return &l.backward
	}
	return &l.forward
}

// failed ends an attempt and begins the wait for the next one.
func (l *stepLanes) failed(at time.Time, mark rune) {
	lane := l.current()
	end(lane, at, mark)
	begin(lane, at, true)
}

func begin(lane *[]span, at time.Time, waiting bool) {
	end(lane, at, 0)
	*lane = append(*lane, span{from: at, waiting: waiting})
}

// end ends the last span. A wait that ends when it begins is dropped: no attempt follows.
func end(lane *[]span, at time.Time, mark rune) {
	if len(*lane) == 0 {
		if mark != 0 { // it ended without an attempt
			*lane = append(*lane, span{from: at, to: at, mark: mark})
		}
		return
	}
	last := &(*lane)[len(*lane)-1]
	switch {
	case !last.to.IsZero():
		if mark != 0 && mark != last.mark { // a late reply, or an operator's decision
			*lane = append(*lane, span{from: at, to: at, mark: mark})
		}
	case last.waiting && !at.After(last.from):
		*lane = (*lane)[:len(*lane)-1]
	case last.waiting:
		last.to = at
	default:
		last.to, last.mark = at, mark
	}
}
