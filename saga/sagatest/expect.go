package sagatest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Expect fails the test unless the saga has the status.
func (r *Run) Expect(status saga.Status) {
	r.test.t.Helper()
	if got := r.Status(); got != status {
		r.test.t.Errorf("the saga is %s, want %s\n%s", got, status, r.Explain())
	}
}

// compensation is how Steps names the compensation of a step.
const compensation = "compensate "

// Steps returns what has been done, in its order: the name of a step that has succeeded, "compensate " and the name of one that has
// been compensated.
func (r *Run) Steps() []string {
	r.test.t.Helper()
	done := []string{}
	for _, entry := range r.history() {
		switch entry.Type {
		case saga.EntryStepSucceeded:
			done = append(done, entry.Step)
		case saga.EntryStepCompensated:
			done = append(done, compensation+entry.Step)
		default: // the others are attempts, or concern the saga
		}
	}
	return done
}

// ExpectSteps fails the test unless exactly these steps have been executed and compensated, in this order, as Steps returns them.
func (r *Run) ExpectSteps(want ...string) {
	r.test.t.Helper()
	if got := r.Steps(); !slices.Equal(got, want) {
		r.test.t.Errorf("the steps are\n  %s\nwant\n  %s\n%s", strings.Join(got, ", "), strings.Join(want, ", "), r.Explain())
	}
}

// ExpectData fails the test unless the data of the saga is that of the value, compared as JSON.
func (r *Run) ExpectData(want any) {
	r.test.t.Helper()
	got, wanted := r.Saga().Data, r.test.object("the wanted data", want)
	if !reflect.DeepEqual(r.decoded(got), r.decoded(wanted)) {
		r.test.t.Errorf("the data is\n  %s\nwant\n  %s\n%s", got, wanted, r.Explain())
	}
}

// decoded decodes JSON. Numbers stay text: a float64 would lose digits.
func (r *Run) decoded(content []byte) (value any) {
	r.test.t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		r.test.t.Fatalf("sagatest: decode the data: %v", err)
	}
	return value
}
