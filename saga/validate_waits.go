package saga

import (
	"slices"
)

// Limits of what a step may have besides its commands.
const (
	MaxCondition  = 1024 // bytes of an expression
	MaxInputs     = 100  // members of an input
	MaxMemberName = 128  // bytes of a name that a definition gives to a member of the data or of a command
	MaxSchema     = 64 << 10
)

// checkWaits checks what only the draft knows: which members were given. It takes back the fault of a missing command where a
// member that stands for it is at fault.
func (d draft) checkWaits(faults *Faults) {
	for i := range d.steps {
		d.steps[i].checkWaits(faults, i)
	}
	faulty := make(map[string]bool, len(*faults))
	for _, f := range *faults {
		faulty[f.Pointer] = true
	}
	takenBack := make(map[string]bool)
	for i := range d.steps {
		for _, member := range []string{"signal", "delay", "until", "saga"} { // those that stand for a command
			if faulty[stepPointer(i, member)] && d.steps[i].command == "" {
				takenBack[stepPointer(i, "command")] = true
			}
		}
	}
	*faults = slices.DeleteFunc(*faults, func(f Fault) bool { return takenBack[f.Pointer] })
}

func (s *draftStep) checkWaits(faults *Faults, i int) {
	s.checkEmpty(faults, i)
	given := s.does()
	if len(given) > 1 {
		faults.add(stepPointer(i, given[1]), "a step has either %s or %s", given[0], given[1])
		return
	}
	if len(given) == 0 || given[0] == "command" { // a missing command is reported elsewhere
		return
	}
	if s.timeout != nil && s.signal == nil {
		faults.add(stepPointer(i, "timeout"), "only a command and a signal have a timeout")
	}
	if s.retry.given() {
		faults.add(stepPointer(i, "retry"), "a step that waits is not retried by a policy")
	}
	if s.saga != nil {
		s.checkChild(faults, i)
	}
	if s.delay != nil {
		checkDuration(faults, stepPointer(i, "delay"), *s.delay)
	}
	if s.compensation != "" {
		return
	}
	if s.queue != nil {
		faults.add(stepPointer(i, "queue"), "the step sends no commands")
	}
	if s.input != nil && s.saga == nil {
		faults.add(stepPointer(i, "input"), "the step sends no commands")
	}
}

// does returns which members say what the step does.
func (s *draftStep) does() (given []string) {
	for _, kind := range []struct {
		name  string
		given bool
	}{{"command", s.command != ""}, {"signal", s.signal != nil}, {"delay", s.delay != nil}, {"until", s.until != nil}, {"saga", s.saga != nil}} {
		if kind.given {
			given = append(given, kind.name)
		}
	}
	return given
}

// checkEmpty refuses texts that are given and empty: they would mean the same as none.
func (s *draftStep) checkEmpty(faults *Faults, i int) {
	for _, member := range []struct {
		name, message string
		empty         bool
	}{
		{"signal", "must match " + commandPattern, s.signal != nil && *s.signal == ""},
		{"until", "must be a JSON pointer such as /ship_at", s.until != nil && *s.until == ""},
		{"saga", "must match " + definitionNamePattern, s.saga != nil && *s.saga == ""},
		{"when", "must not be empty", s.when != nil && *s.when == ""},
		{"output_as", "must not be empty", s.outputAs != nil && *s.outputAs == ""},
	} {
		if member.empty {
			faults.add(stepPointer(i, member.name), "%s", member.message)
		}
	}
}

// checkChild checks a step that starts a child saga. Its compensation is built in.
func (s *draftStep) checkChild(faults *Faults, i int) {
	for _, member := range []struct {
		name  string
		given bool
	}{
		{"compensation", s.compensation != ""},
		{"compensation_timeout", s.compensationTimeout != nil},
		{"compensation_retry", s.compensationRetry.given()},
	} {
		if member.given {
			faults.add(stepPointer(i, member.name), "a child saga is compensated by itself")
		}
	}
}

func (p *draftPolicy) given() bool {
	return p.maxAttempts != nil || p.initialInterval != nil || p.multiplier != nil || p.maxInterval != nil || p.jitter != nil ||
		len(p.nonRetryable) > 0
}

// checkWait checks a step that waits.
func (d *Definition) checkWait(faults *Faults, i int) {
	step := &d.Steps[i]
	if step.Signal != "" {
		switch first := d.signalStep(step.Signal); {
		case !matches(commandPattern, step.Signal):
			faults.add(stepPointer(i, "signal"), "must match %s", commandPattern)
		case first != i:
			faults.add(stepPointer(i, "signal"), "repeats the signal of step %d", first)
		}
		if step.Timeout != 0 {
			checkDuration(faults, stepPointer(i, "timeout"), step.Timeout)
		}
	}
	if step.Saga != "" && !matches(definitionNamePattern, step.Saga) {
		faults.add(stepPointer(i, "saga"), "must match %s", definitionNamePattern)
	}
	if !step.Until.valid() {
		faults.add(stepPointer(i, "until"), "must be a JSON pointer of at most %d bytes, such as /ship_at", MaxPointer)
	}
}

// checkPayload checks what a step reads and writes of the data.
func checkPayload(faults *Faults, i int, step *Step) {
	if len(step.When) > MaxCondition {
		faults.add(stepPointer(i, "when"), "longer than %d bytes", MaxCondition)
	}
	if step.OutputAs != "" && !memberName(step.OutputAs) {
		faults.add(stepPointer(i, "output_as"), "must be a name of at most %d bytes", MaxMemberName)
	}
	checkSchemaSize(faults, stepPointer(i, "output_schema"), step.OutputSchema)
	if len(step.Input) > MaxInputs {
		faults.add(stepPointer(i, "input"), "more than %d members", MaxInputs)
		return
	}
	names := make([]string, 0, len(step.Input))
	for name := range step.Input {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := stepPointer(i, "input/"+escapePointer(name))
		if !memberName(name) {
			faults.add(at, "its name must have 1 to %d bytes", MaxMemberName)
		}
		if !step.Input[name].valid() {
			faults.add(at, "must be a JSON pointer of at most %d bytes, such as /orderId", MaxPointer)
		}
	}
}

func memberName(name string) bool { return name != "" && len(name) <= MaxMemberName && sendable(name) }

func checkSchemaSize(faults *Faults, pointer string, schema RawSchema) {
	if len(schema) > MaxSchema {
		faults.add(pointer, "larger than %d bytes", MaxSchema)
	}
}
