package sim

import (
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const mostSteps = 5

// newDefinition draws a definition: any graph of steps, with the pivot anywhere or without one.
func (s *Simulation) newDefinition(number int) *saga.Definition {
	b := saga.New(fmt.Sprintf("definition-%d", number))
	if s.hit(0.2) {
		b.Deadline(s.between(5*time.Second, 30*time.Second))
	}
	steps := 1 + s.chance.IntN(mostSteps)
	pivot := s.chance.IntN(steps + 2) // steps: none; steps+1: all are retriable
	var before, after []string        // the pivot, if any
	if number == 0 {                  // the others start it as a child, which must have no pivot
		steps, pivot = 1+s.chance.IntN(3), mostSteps
	}
	for i := range steps {
		one := s.newStep(number, i)
		switch {
		case pivot > steps && number > 0 || i > pivot:
			least := 0
			if i > pivot {
				least = 1
			}
			one.add(b, saga.Retriable, saga.After(s.some(after, least)...), s.retry(2, 4))
			after = append(after, one.name)
		case i == pivot:
			one.add(b, saga.Pivot, saga.After(before...), s.retry(1, 3))
			after = append(after, one.name)
		default:
			if s.hit(0.8) {
				one.compensation = s.compensationRetry()
			}
			one.add(b, saga.Compensatable, saga.After(s.some(before, 0)...), s.retry(1, 3))
			before = append(before, one.name)
		}
	}
	return b.MustBuild()
}

// some draws a subset of the names with at least that many.
func (s *Simulation) some(names []string, least int) []string {
	var drawn []string
	for _, name := range names {
		if s.hit(0.5) {
			drawn = append(drawn, name)
		}
	}
	if len(drawn) < least {
		return names[:least]
	}
	return drawn
}

func (s *Simulation) policy(least, most int) []saga.RetryOption {
	return []saga.RetryOption{
		saga.Attempts(least + s.chance.IntN(most-least+1)), saga.NonRetryable(codeFinal),
		saga.Backoff(s.between(50*time.Millisecond, time.Second), 2, 2*time.Second),
	}
}

func (s *Simulation) retry(least, most int) saga.StepOption {
	return saga.Retry(s.policy(least, most)...)
}

func (s *Simulation) compensationRetry() saga.StepOption {
	return saga.CompensationRetry(s.policy(1, 4)...)
}

// queues returns the worker queues.
func queues() []string { return []string{"alpha", "beta", "gamma"} }
