package saga

import "time"

// draft is a definition as a user gave it, in Go or in JSON: what was left out is nil. complete fills it in, so both
// roads have the same defaults, and validate looks at the result.
type draft struct {
	description string
	deadline    *Duration
	steps       []draftStep
}

type draftStep struct {
	name                string
	command             string
	compensation        string
	queue               *string
	kind                *Kind
	after               *[]string
	timeout             *Duration
	retry               draftPolicy
	compensationTimeout *Duration
	compensationRetry   draftPolicy
}

type draftPolicy struct {
	maxAttempts     *int
	initialInterval *Duration
	multiplier      *float64
	maxInterval     *Duration
	jitter          *float64
	nonRetryable    []string
}

// complete fills in the defaults. It accepts every draft; what is wrong with it shows in validate.
func (d draft) complete(name string, version int) *Definition {
	definition := &Definition{
		Name: name, Version: version, Description: d.description,
		Deadline: or(d.deadline, 0), Steps: make([]Step, len(d.steps)),
	}
	for i := range d.steps {
		previous := ""
		if i > 0 {
			previous = d.steps[i-1].name
		}
		definition.Steps[i] = d.steps[i].complete(previous)
	}
	return definition
}

func (s *draftStep) complete(previous string) Step {
	step := Step{
		Name: s.name, Command: s.command, Compensation: s.compensation,
		Queue: or(s.queue, defaultQueue(s.command)), Kind: or(s.kind, Compensatable),
		Timeout: or(s.timeout, Duration(DefaultTimeout)), After: []string{},
	}
	switch {
	case s.after != nil:
		step.After = append([]string{}, *s.after...)
	case previous != "":
		step.After = []string{previous}
	}
	attempts := DefaultAttempts
	if step.Kind == Retriable {
		attempts = DefaultPersistence
	}
	step.Retry = s.retry.complete(attempts)
	step.CompensationRetry = s.compensationRetry.complete(DefaultPersistence)
	step.CompensationTimeout = or(s.compensationTimeout, step.Timeout)
	return step
}

func (p *draftPolicy) complete(attempts int) RetryPolicy {
	policy := RetryPolicy{
		MaxAttempts:     or(p.maxAttempts, attempts),
		InitialInterval: or(p.initialInterval, Duration(DefaultInitialInterval)),
		Multiplier:      or(p.multiplier, DefaultMultiplier),
		Jitter:          or(p.jitter, DefaultJitter),
		NonRetryable:    sortedSet(p.nonRetryable),
	}
	longest := max(Duration(DefaultMaxInterval), policy.InitialInterval)
	policy.MaxInterval = or(p.maxInterval, longest)
	return policy
}

// defaultQueue is the part of the command before the first dot.
func defaultQueue(command string) string {
	for i := range command {
		if command[i] == '.' {
			return command[:i]
		}
	}
	return command
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// Builder makes a Definition in Go code. Each step comes after the one added before it, unless After or AtOnce says
// otherwise.
type Builder struct {
	name  string
	draft draft
}

// New begins a definition of that name.
func New(name string) *Builder { return &Builder{name: name} }

// Describe says in a few words what the saga does.
func (b *Builder) Describe(description string) *Builder {
	b.draft.description = description
	return b
}

// Deadline is how long a saga may take before its pivot. Passing it turns the saga back.
func (b *Builder) Deadline(limit time.Duration) *Builder {
	b.draft.deadline = new(Duration(limit))
	return b
}

// Step adds a compensatable step: command is what a worker does, and CompensatedBy what undoes it.
func (b *Builder) Step(name, command string, options ...StepOption) *Builder {
	return b.add(Compensatable, name, command, options)
}

// Pivot adds the step whose success commits the saga.
func (b *Builder) Pivot(name, command string, options ...StepOption) *Builder {
	return b.add(Pivot, name, command, options)
}

// Retriable adds a step that must finally succeed and is never undone.
func (b *Builder) Retriable(name, command string, options ...StepOption) *Builder {
	return b.add(Retriable, name, command, options)
}

func (b *Builder) add(kind Kind, name, command string, options []StepOption) *Builder {
	step := draftStep{name: name, command: command, kind: &kind}
	for _, option := range options {
		option(&step)
	}
	b.draft.steps = append(b.draft.steps, step)
	return b
}

// Build checks the definition and fills in the defaults. Its error is a Faults with everything that is wrong.
func (b *Builder) Build() (*Definition, error) {
	return b.draft.build(b.name, 0, nil)
}

// MustBuild is Build for definitions that are part of a program: it panics where Build would fail.
func (b *Builder) MustBuild() *Definition {
	definition, err := b.Build()
	if err != nil {
		panic(err)
	}
	return definition
}

// build ends every road to a Definition; found are faults met on the way here.
func (d draft) build(name string, version int, found Faults) (*Definition, error) {
	definition := d.complete(name, version)
	faults := append(found, definition.validate()...)
	if len(faults) > 0 {
		return nil, faults.bounded()
	}
	definition.prepare()
	return definition, nil
}

// prepare derives what the core needs from a definition without faults.
func (d *Definition) prepare() {
	d.orderAfter()
	d.forgetUnused()
	d.graph = newGraph(d)
}

// forgetUnused takes out how to retry a compensation that a step does not have: it makes no other plan.
func (d *Definition) forgetUnused() {
	for i := range d.Steps {
		if step := &d.Steps[i]; step.Compensation == "" {
			step.CompensationTimeout = step.Timeout
			step.CompensationRetry = new(draftPolicy).complete(DefaultPersistence)
		}
	}
}
