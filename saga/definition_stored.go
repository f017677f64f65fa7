package saga

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a stored definition, far above those of any version: they bound what it takes to read one that was changed by hand.
const (
	maxStoredSteps = 500
	// MaxStoredBytes is the largest stored definition that ReadDefinition reads.
	MaxStoredBytes = 4 << 20
)

// maxStoredName is the longest name of a command or queue that an AMQP message can carry, in bytes.
const maxStoredName = 255

// storedLater wraps a definition that uses members which earlier versions ignore. To these it has no steps, so their replicas
// leave its sagas alone: otherwise they would run steps that `when` skips, and pass on what `sensitive` hides.
type storedLater struct {
	Definition json.RawMessage `json:"definition"`
}

// StoredJSON returns the form for a store, which ReadDefinition reads. It is that of MarshalJSON, unless a replica of an
// earlier version must not run the definition.
func (d *Definition) StoredJSON() ([]byte, error) {
	body, err := d.MarshalJSON()
	if err != nil || !d.later() {
		return body, err
	}
	return json.Marshal(storedLater{Definition: body})
}

// later reports whether the definition uses members that a version without steps that wait would ignore.
func (d *Definition) later() bool {
	if d.DataSchema != nil || len(d.Sensitive) > 0 {
		return true
	}
	for i := range d.Steps {
		step := &d.Steps[i]
		if step.Wait() != NoWait || step.When != "" || step.Input != nil || step.OutputAs != "" || step.OutputSchema != nil {
			return true
		}
	}
	return false
}

// ReadDefinition reads a definition as it was stored, perhaps by another version of the program. It ignores unknown
// members and the limits of ParseDefinition. It refuses only what the core cannot run, such as a step without a command
// or a cycle. The error is of type Faults.
func ReadDefinition(name string, version int, body []byte) (*Definition, error) {
	if len(body) > MaxStoredBytes {
		return nil, Faults{{Message: fmt.Sprintf("of %d bytes is larger than %d", len(body), MaxStoredBytes)}}
	}
	var wrapped storedLater
	if json.Unmarshal(body, &wrapped) == nil && wrapped.Definition != nil {
		body = wrapped.Definition
	}
	read := definitionReader{lenient: true}
	given := read.definition(body)
	definition := given.complete(name, version)
	if faults := append(read.faults, definition.obstacles()...); len(faults) > 0 {
		return nil, faults.bounded()
	}
	definition.prepare()
	return definition, nil
}

// obstacles returns the faults of a completed definition that keep the core from running it.
func (d *Definition) obstacles() Faults {
	var faults Faults
	d.checkFailurePolicy(&faults)
	if len(d.Steps) == 0 || len(d.Steps) > maxStoredSteps {
		faults.add("/steps", "there must be 1 to %d steps", maxStoredSteps)
		return faults
	}
	for i := range d.Steps {
		d.checkRunnable(&faults, i)
	}
	sound := d.checkAfter(&faults)
	if d.checkPivots(&faults) && sound {
		d.checkSides(&faults)
	}
	return faults
}

func (d *Definition) checkRunnable(faults *Faults, i int) {
	step := &d.Steps[i]
	switch first := d.step(step.Name); {
	case step.Name == "" || strings.Contains(step.Name, "/") || !sendable(step.Name):
		faults.add(stepPointer(i, "name"), "cannot be part of a command's id")
	case first != i:
		faults.add(stepPointer(i, "name"), "repeats the name of step %d", first)
	}
	waits := step.Wait() != NoWait
	if step.Command == "" && !waits {
		faults.add(stepPointer(i, "command"), "is missing: this version runs no other kind of step")
	}
	for _, text := range [][2]string{{"command", step.Command}, {"compensation", step.Compensation}, {"queue", step.Queue}} {
		if !sendable(text[1]) {
			faults.add(stepPointer(i, text[0]), "must be UTF-8 text without NUL of at most %d bytes", maxStoredName)
		}
	}
	if (step.Command != "" || step.Compensation != "") && step.Queue == "" {
		faults.add(stepPointer(i, "queue"), "is missing")
	}
	checkKind(faults, i, step)
	if !waits {
		checkPositive(faults, stepPointer(i, "timeout"), step.Timeout)
		checkRunnablePolicy(faults, stepPointer(i, "retry"), step.Retry)
	}
	checkPositive(faults, stepPointer(i, "compensation_timeout"), step.CompensationTimeout)
	checkRunnablePolicy(faults, stepPointer(i, "compensation_retry"), step.CompensationRetry)
}

func sendable(text string) bool {
	return len(text) <= maxStoredName && utf8.ValidString(text) && !strings.Contains(text, "\x00")
}

// checkRunnablePolicy refuses policies that would retry without a delay, or with one that is not a number.
func checkRunnablePolicy(faults *Faults, pointer string, policy RetryPolicy) {
	if policy.MaxAttempts < 1 {
		faults.add(pointer+"/max_attempts", "must be at least 1")
	}
	if policy.Multiplier <= 0 {
		faults.add(pointer+"/multiplier", "must be above 0")
	}
	if policy.Jitter < 0 || policy.Jitter > 1 {
		faults.add(pointer+"/jitter", "must be 0 to 1")
	}
	checkPositive(faults, pointer+"/initial_interval", policy.InitialInterval)
	checkPositive(faults, pointer+"/max_interval", policy.MaxInterval)
}

func checkPositive(faults *Faults, pointer string, given Duration) {
	if given <= 0 {
		faults.add(pointer, "must be longer than 0")
	}
}
