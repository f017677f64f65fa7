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
	for i := range steps {
		name := fmt.Sprintf("s%d", i)
		queue := queues()[s.chance.IntN(len(queues()))]
		command, options := queue+"."+name, s.options()
		switch {
		case pivot > steps || i > pivot:
			if i > pivot {
				options = append(options, saga.After(s.some(after, 1)...))
			} else {
				options = append(options, saga.After(s.some(after, 0)...))
			}
			b.Retriable(name, command, append(options, s.retry(2, 4))...)
			after = append(after, name)
		case i == pivot:
			b.Pivot(name, command, append(options, saga.After(before...), s.retry(1, 3))...)
			after = append(after, name)
		default:
			if s.hit(0.8) {
				options = append(options, saga.CompensatedBy(queue+".compensate-"+name), s.compensationRetry())
			}
			b.Step(name, command, append(options, saga.After(s.some(before, 0)...), s.retry(1, 3))...)
			before = append(before, name)
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

func (s *Simulation) options() []saga.StepOption {
	return []saga.StepOption{
		saga.Timeout(s.between(time.Second, 5*time.Second)), saga.CompensationTimeout(s.between(time.Second, 5*time.Second)),
	}
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
