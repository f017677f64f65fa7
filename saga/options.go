package saga

import "time"

// StepOption sets one property of a step. A nil option is ignored.
type StepOption func(*draftStep)

// CompensatedBy names the command that compensates the step.
func CompensatedBy(command string) StepOption {
	return func(s *draftStep) { s.compensation = command }
}

// CommandName sets the command of the step. It replaces the command that the builder was given.
func CommandName(command string) StepOption {
	return func(s *draftStep) { s.command = command }
}

// After names the steps that must be done before this one. Steps after the same step run in parallel.
func After(names ...string) StepOption {
	return func(s *draftStep) { s.after = new(append([]string{}, names...)) }
}

// AtOnce makes the step start with the saga.
func AtOnce() StepOption { return After() }

// OnQueue sends the commands of the step to that worker queue. The default is the part of the command before its first
// dot.
func OnQueue(queue string) StepOption {
	return func(s *draftStep) { s.queue = &queue }
}

// Timeout limits one attempt, from dispatch to reply. The default is 30 seconds.
func Timeout(limit time.Duration) StepOption {
	return func(s *draftStep) { s.timeout = new(Duration(limit)) }
}

// CompensationTimeout limits one attempt of the compensation. The default is the timeout of the step.
func CompensationTimeout(limit time.Duration) StepOption {
	return func(s *draftStep) { s.compensationTimeout = new(Duration(limit)) }
}

// Retry sets the step's retry policy: what the orchestrator does after a failed attempt. Settings without an option keep
// their defaults. A handler reports a retryable failure with steps.Retry, and an operator's retry is ActionRetry.
func Retry(options ...RetryOption) StepOption {
	return func(s *draftStep) { s.retry.apply(options) }
}

// CompensationRetry sets the retry policy of the step's compensation, as Retry does that of the step.
func CompensationRetry(options ...RetryOption) StepOption {
	return func(s *draftStep) { s.compensationRetry.apply(options) }
}

// RetryOption is one setting of a retry policy. A nil option is ignored.
type RetryOption func(*draftPolicy)

// Attempts limits how often the command is sent. The default is 5, and 20 for compensations and retriable steps.
func Attempts(most int) RetryOption {
	return func(p *draftPolicy) { p.maxAttempts = &most }
}

// Backoff sets the wait before the second attempt, the factor by which it grows with each attempt, and the longest
// wait. The default is one second, doubling up to one minute.
func Backoff(initial time.Duration, multiplier float64, longest time.Duration) RetryOption {
	return func(p *draftPolicy) {
		p.initialInterval, p.multiplier, p.maxInterval = new(Duration(initial)), &multiplier, new(Duration(longest))
	}
}

// Jitter sets the share by which each wait may be longer or shorter, from 0 to 1. The default is 0.2.
func Jitter(share float64) RetryOption {
	return func(p *draftPolicy) { p.jitter = &share }
}

// NonRetryable lists error codes after which the step is not attempted again.
func NonRetryable(codes ...string) RetryOption {
	return func(p *draftPolicy) { p.nonRetryable = append(p.nonRetryable, codes...) }
}

func (p *draftPolicy) apply(options []RetryOption) {
	for _, option := range options {
		if option != nil {
			option(p)
		}
	}
}
