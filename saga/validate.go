package saga

import (
	"slices"
	"strconv"
	"strings"
)

// Patterns of names. Users see them in messages.
const (
	definitionNamePattern = `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`
	stepNamePattern       = `[a-z0-9][a-z0-9-]{0,62}`
	commandPattern        = `[A-Za-z0-9][A-Za-z0-9._:-]{0,127}`
)

// Lengths of names in bytes, as in the patterns.
const (
	maxName        = 63  // of a definition or a step
	maxCommandName = 128 // of a command, a queue or a signal
)

// validate returns every fault of a completed definition.
func (d *Definition) validate() Faults {
	var faults Faults
	if !matches(definitionNamePattern, d.Name) {
		faults.add("", "the definition's name must match %s", definitionNamePattern)
	}
	if len(d.Description) > MaxDescription {
		faults.add("/description", "longer than %d bytes", MaxDescription)
	}
	if d.Deadline != 0 {
		checkDuration(&faults, "/deadline", d.Deadline)
	}
	d.checkFailurePolicy(&faults)
	d.checkRetention(&faults)
	d.checkSensitive(&faults)
	checkSchemaSize(&faults, "/data_schema", d.DataSchema)
	if len(d.Steps) == 0 || len(d.Steps) > MaxSteps {
		faults.add("/steps", "there must be 1 to %d steps", MaxSteps)
		return faults
	}
	for i := range d.Steps {
		d.checkStep(&faults, i)
	}
	sound := d.checkAfter(&faults)
	if d.checkPivots(&faults) && sound {
		d.checkSides(&faults)
	}
	return faults
}

// matches reports whether a text matches one of the patterns above. It does not compile them: that would dominate the
// cost of starting a saga, which reads its definition.
func matches(pattern, text string) bool {
	const lower = "abcdefghijklmnopqrstuvwxyz0123456789"
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + lower
	switch pattern {
	case definitionNamePattern:
		return spelled(text, letters, "_-", maxName)
	case stepNamePattern:
		return spelled(text, lower, "-", maxName)
	default: // commandPattern
		return spelled(text, letters, "._:-", maxCommandName)
	}
}

// spelled reports whether a text of bounded length starts with a letter and continues with letters and marks.
func spelled(text, letters, marks string, longest int) bool {
	return text != "" && len(text) <= longest &&
		strings.IndexByte(letters, text[0]) >= 0 && strings.Trim(text, letters+marks) == ""
}

func stepPointer(i int, member string) string { return "/steps/" + strconv.Itoa(i) + "/" + member }

func (d *Definition) checkFailurePolicy(faults *Faults) {
	if d.OnFailure != TurnBack && d.OnFailure != Park {
		faults.add("/on_failure", "must be %s or %s", TurnBack, Park)
	}
}

// checkStep checks one step without regard to the others.
func (d *Definition) checkStep(faults *Faults, i int) {
	step := &d.Steps[i]
	switch first := d.step(step.Name); {
	case !matches(stepNamePattern, step.Name):
		faults.add(stepPointer(i, "name"), "must match %s", stepNamePattern)
	case first != i:
		faults.add(stepPointer(i, "name"), "repeats the name of step %d", first)
	}
	if step.Compensation != "" && !matches(commandPattern, step.Compensation) {
		faults.add(stepPointer(i, "compensation"), "must match %s", commandPattern)
	}
	checkKind(faults, i, step)
	checkPayload(faults, i, step)
	if step.Wait() == NoWait {
		checkCommand(faults, i, step)
	} else {
		d.checkWait(faults, i)
	}
	if step.Queue != "" && step.Wait() != NoWait && !matches(commandPattern, step.Queue) && matches(commandPattern, step.Compensation) {
		faults.add(stepPointer(i, "queue"), "must match %s", commandPattern)
	}
	if step.CompensationTimeout != step.Timeout { // the default repeats the timeout and its fault
		checkDuration(faults, stepPointer(i, "compensation_timeout"), step.CompensationTimeout)
	}
	checkPolicy(faults, stepPointer(i, "compensation_retry"), step.CompensationRetry)
}

func checkCommand(faults *Faults, i int, step *Step) {
	sound := matches(commandPattern, step.Command)
	if !sound {
		faults.add(stepPointer(i, "command"), "must match %s", commandPattern)
	}
	if (sound || step.Queue != defaultQueue(step.Command)) && !matches(commandPattern, step.Queue) {
		faults.add(stepPointer(i, "queue"), "must match %s", commandPattern)
	}
	checkDuration(faults, stepPointer(i, "timeout"), step.Timeout)
	checkPolicy(faults, stepPointer(i, "retry"), step.Retry)
}

func checkKind(faults *Faults, i int, step *Step) {
	if step.Kind != Compensatable && step.Kind != Pivot && step.Kind != Retriable {
		faults.add(stepPointer(i, "kind"), "must be %s, %s or %s", Compensatable, Pivot, Retriable)
	} else if step.Kind != Compensatable && step.Compensation != "" {
		faults.add(stepPointer(i, "compensation"), "a %s step is never compensated", step.Kind)
	}
}

func checkDuration(faults *Faults, pointer string, given Duration) {
	if given < Duration(MinInterval) || given > Duration(MaxDuration) {
		faults.add(pointer, "must be %s to %s", MinInterval, MaxDuration)
	}
}

func checkPolicy(faults *Faults, pointer string, policy RetryPolicy) {
	if policy.MaxAttempts < 1 || policy.MaxAttempts > MaxAttempts {
		faults.add(pointer+"/max_attempts", "must be 1 to %d", MaxAttempts)
	}
	if !(policy.Multiplier >= 1 && policy.Multiplier <= MaxMultiplier) {
		faults.add(pointer+"/multiplier", "must be 1 to %g", MaxMultiplier)
	}
	if !(policy.Jitter >= 0 && policy.Jitter <= 1) {
		faults.add(pointer+"/jitter", "must be 0 to 1")
	}
	checkDuration(faults, pointer+"/initial_interval", policy.InitialInterval)
	checkDuration(faults, pointer+"/max_interval", policy.MaxInterval)
	if policy.MaxInterval < policy.InitialInterval {
		faults.add(pointer+"/max_interval", "must not be shorter than initial_interval")
	}
	if len(policy.NonRetryable) > MaxNonRetryable {
		faults.add(pointer+"/non_retryable", "more than %d codes", MaxNonRetryable)
	}
	for _, code := range policy.NonRetryable {
		if code == "" || len(code) > 128 {
			faults.add(pointer+"/non_retryable", "a code must have 1 to 128 bytes")
		}
	}
}

// checkAfter checks the After lists and reports whether they form a DAG.
func (d *Definition) checkAfter(faults *Faults) bool {
	before := make([][]int, len(d.Steps))
	sound := true
	positions := d.positions()
	for i, step := range d.Steps {
		if len(step.After) > len(d.Steps) {
			faults.add(stepPointer(i, "after"), "names more steps than there are")
			sound = false
			continue
		}
		named := make(map[string]bool, len(step.After))
		for j, name := range step.After {
			pointer := stepPointer(i, "after/"+strconv.Itoa(j))
			switch at, exists := positions[name]; {
			case !exists:
				faults.add(pointer, "names a step that does not exist")
				sound = false
			case named[name]:
				faults.add(pointer, "names the same step twice")
				sound = false
			default:
				before[i] = append(before[i], at)
			}
			named[name] = true
		}
	}
	for i := range d.Steps {
		if slices.Contains(ancestors(before, i), i) {
			faults.add(stepPointer(i, "after"), "makes a cycle: the step would come after itself")
			sound = false
		}
	}
	return sound
}

// checkPivots checks the kinds without regard to the order, and reports whether there is a pivot.
func (d *Definition) checkPivots(faults *Faults) bool {
	pivot, retriable := -1, 0
	for i, step := range d.Steps {
		switch {
		case step.Kind == Retriable:
			retriable++
		case step.Kind == Pivot && pivot >= 0:
			faults.add(stepPointer(i, "kind"), "a definition has at most one pivot")
		case step.Kind == Pivot:
			pivot = i
		}
	}
	if pivot >= 0 || retriable == len(d.Steps) {
		return pivot >= 0
	}
	for i, step := range d.Steps {
		if step.Kind == Retriable {
			faults.add(stepPointer(i, "kind"), "without a pivot either every step is %s or none is", Retriable)
		}
	}
	return false
}

// checkSides checks the kinds of the steps before, after and beside the pivot. It requires sound After lists.
func (d *Definition) checkSides(faults *Faults) {
	g := newGraph(d)
	for i, step := range d.Steps {
		switch {
		case step.Kind == Pivot: // checkPivots ensures that there is only one
		case slices.Contains(g.descendants[g.pivot], i):
			if step.Kind != Retriable {
				faults.add(stepPointer(i, "kind"), "a step after the pivot must be %s", Retriable)
			}
		case slices.Contains(g.descendants[i], g.pivot):
			if step.Kind == Retriable {
				faults.add(stepPointer(i, "kind"), "a step before the pivot cannot be %s", Retriable)
			}
		default:
			faults.add(stepPointer(i, "after"), "the step is parallel to the pivot: it must come before or after it")
		}
	}
}
