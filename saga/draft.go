package saga

import "time"

// draft is a definition as a user wrote it, in Go or in JSON; nil means left out. complete fills in the defaults and
// validate checks the result, whatever the source.
type draft struct {
	description string
	deadline    *Duration
	onFailure   *FailurePolicy
	retention   Retention
	sensitive   []Pointer
	dataSchema  RawSchema
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
	draftWait
}

// draftWait is what distinguishes a step that waits, and what any step may have besides its commands.
type draftWait struct {
	signal       *string
	delay        *Duration
	until        *Pointer
	saga         *string
	when         *string
	input        map[string]Pointer
	outputAs     *string
	outputSchema RawSchema
}

type draftPolicy struct {
	maxAttempts     *int
	initialInterval *Duration
	multiplier      *float64
	maxInterval     *Duration
	jitter          *float64
	nonRetryable    []string
}

// complete fills in the defaults. It accepts every draft; validate reports the faults.
func (d draft) complete(name string, version int) *Definition {
	definition := &Definition{
		Name: name, Version: version, Description: d.description,
		Deadline: or(d.deadline, 0), OnFailure: or(d.onFailure, TurnBack), Retention: d.retention,
		Sensitive: d.sensitive, DataSchema: canonicalJSON(d.dataSchema), Steps: make([]Step, len(d.steps)),
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
		Kind: or(s.kind, Compensatable), After: []string{},
		Signal: or(s.signal, ""), Delay: or(s.delay, 0), Until: or(s.until, ""), Saga: or(s.saga, ""),
		When: or(s.when, ""), Input: s.input, OutputAs: or(s.outputAs, ""), OutputSchema: canonicalJSON(s.outputSchema),
	}
	s.completeCommands(&step)
	switch {
	case s.after != nil:
		step.After = append([]string{}, *s.after...)
	case previous != "":
		step.After = []string{previous}
	}
	return step
}

// completeCommands fills in the queue, the timeouts and the policies. A step that waits has no attempts to repeat, and
// its timeout is not one of a compensation.
func (s *draftStep) completeCommands(step *Step) {
	step.CompensationRetry = s.compensationRetry.complete(DefaultPersistence)
	if step.Wait() != NoWait {
		step.Queue = or(s.queue, defaultQueue(s.compensation))
		step.Timeout = or(s.timeout, 0)
		step.CompensationTimeout = or(s.compensationTimeout, Duration(DefaultTimeout))
		return
	}
	attempts := DefaultAttempts
	if step.Kind == Retriable {
		attempts = DefaultPersistence
	}
	step.Queue = or(s.queue, defaultQueue(s.command))
	step.Timeout = or(s.timeout, Duration(DefaultTimeout))
	step.Retry = s.retry.complete(attempts)
	step.CompensationTimeout = or(s.compensationTimeout, step.Timeout)
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

// defaultQueue returns the part of the command before the first dot.
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

// Builder makes a Definition in Go code. Each step comes after the one added before it, unless it has the option After
// or AtOnce.
type Builder struct {
	name  string
	draft draft
}

// New returns a Builder for a definition of that name. Build reports its faults.
func New(name string) *Builder { return &Builder{name: name} }

// Describe sets the description of the saga, for operators.
func (b *Builder) Describe(description string) *Builder {
	b.draft.description = description
	return b
}

// Deadline limits the time from the start of a saga to the success of its pivot. A saga that passes it turns back. By
// default the time is unlimited; Build refuses 0.
func (b *Builder) Deadline(limit time.Duration) *Builder {
	b.draft.deadline = new(Duration(limit))
	return b
}

// OnFailure sets what a final failure before the pivot, or of the pivot, leads to. The default is TurnBack. The deadline
// and a cancel turn the saga back in any case.
func (b *Builder) OnFailure(policy FailurePolicy) *Builder {
	b.draft.onFailure = &policy
	return b
}

// Step adds a compensatable step. The command names what a worker does; CompensatedBy names the command that
// compensates it.
func (b *Builder) Step(name, command string, options ...StepOption) *Builder {
	return b.add(Compensatable, name, command, options)
}

// Pivot adds the step whose success commits the saga.
func (b *Builder) Pivot(name, command string, options ...StepOption) *Builder {
	return b.add(Pivot, name, command, options)
}

// Retriable adds a step that must finally succeed and is never compensated.
func (b *Builder) Retriable(name, command string, options ...StepOption) *Builder {
	return b.add(Retriable, name, command, options)
}

func (b *Builder) add(kind Kind, name, command string, options []StepOption) *Builder {
	step := draftStep{name: name, command: command, kind: &kind}
	for _, option := range options {
		if option != nil {
			option(&step)
		}
	}
	b.draft.steps = append(b.draft.steps, step)
	return b
}

// Build fills in the defaults and checks the definition. The error is of type Faults and lists every fault.
func (b *Builder) Build() (*Definition, error) {
	if b == nil {
		return nil, Faults{{Message: "the builder is nil"}}
	}
	return b.draft.build(b.name, 0, nil)
}

// MustBuild is like Build but panics on a fault. Use it for definitions that are part of a program.
func (b *Builder) MustBuild() *Definition {
	definition, err := b.Build()
	if err != nil {
		panic(err)
	}
	return definition
}

// build completes and checks a draft; found holds the faults of reading it.
func (d draft) build(name string, version int, found Faults) (*Definition, error) {
	definition := d.complete(name, version)
	faults := append(found, definition.validate()...)
	d.checkWaits(&faults)
	d.checkDeadline(&faults)
	if len(faults) > 0 {
		return nil, faults.bounded()
	}
	definition.prepare()
	return definition, nil
}

// checkDeadline refuses a deadline of 0. Definition.Deadline has 0 for none, but users leave it out.
func (d draft) checkDeadline(faults *Faults) {
	if d.deadline != nil && *d.deadline == 0 {
		checkDuration(faults, "/deadline", 0)
	}
}

// prepare derives what the core needs from a definition without faults.
func (d *Definition) prepare() {
	d.orderAfter()
	d.forgetUnused()
	d.graph = newGraph(d)
	d.Sensitive = sortedSet(d.Sensitive)
	d.hidden = newSensitiveTree(d.Sensitive)
}

// forgetUnused resets the compensation policy of steps without a compensation, so that it does not make definitions
// unequal.
func (d *Definition) forgetUnused() {
	for i := range d.Steps {
		if step := &d.Steps[i]; step.Compensation == "" {
			step.CompensationTimeout = step.Timeout
			if step.Wait() != NoWait {
				step.CompensationTimeout = Duration(DefaultTimeout)
			}
			step.CompensationRetry = new(draftPolicy).complete(DefaultPersistence)
		}
	}
}
