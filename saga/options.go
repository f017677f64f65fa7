package saga

import "time"

// StepOption says more about a step than its name and command.
type StepOption func(*draftStep)

// CompensatedBy names the command that undoes the step.
func CompensatedBy(command string) StepOption {
	return func(s *draftStep) { s.compensation = command }
}

// After names the steps that must be done before this one; steps after the same one run in parallel.
func After(names ...string) StepOption {
	return func(s *draftStep) { s.after = new(append([]string{}, names...)) }
}

// AtOnce lets the step start with the saga.
func AtOnce() StepOption { return After() }

// OnQueue sends the step's commands to that worker queue, instead of the one that its command begins with.
func OnQueue(queue string) StepOption {
	return func(s *draftStep) { s.queue = &queue }
}

// Timeout is how long one attempt may take, from its dispatch. The default is 30 seconds.
func Timeout(limit time.Duration) StepOption {
	return func(s *draftStep) { s.timeout = new(Duration(limit)) }
}

// CompensationTimeout is Timeout for the step's compensation. The default is the step's own.
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

// RetryOption is one setting of a retry policy.
type RetryOption func(*draftPolicy)

// Attempts is how often the command is sent at most: 5 by default, 20 for compensations and retriable steps.
func Attempts(most int) RetryOption {
	return func(p *draftPolicy) { p.maxAttempts = &most }
}

// Backoff is the wait before the second attempt, the factor by which it grows from attempt to attempt, and its limit.
// The default is one second, doubling to one minute.
func Backoff(initial time.Duration, multiplier float64, longest time.Duration) RetryOption {
	return func(p *draftPolicy) {
		p.initialInterval, p.multiplier, p.maxInterval = new(Duration(initial)), &multiplier, new(Duration(longest))
	}
}

// Jitter is the share of each wait by which it may be longer or shorter, from 0 to 1. The default is 0.2.
func Jitter(share float64) RetryOption {
	return func(p *draftPolicy) { p.jitter = &share }
}

// NonRetryable lists error codes after which the step is not attempted again.
func NonRetryable(codes ...string) RetryOption {
	return func(p *draftPolicy) { p.nonRetryable = append(p.nonRetryable, codes...) }
}

func (p *draftPolicy) apply(options []RetryOption) {
	for _, option := range options {
		option(p)
	}
}
