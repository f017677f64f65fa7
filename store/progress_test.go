package store

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Every field is set: a field that was added and forgotten here fails the test.
func TestProgressSurvivesEncoding(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 25, 10, 0, 0, 123_456_000, time.UTC)
	failure := &saga.Failure{Step: "a", Code: "declined", Message: "no"}
	whole := saga.StepState{
		Name: "a", Status: saga.StepCompensating, Attempts: 3, AttemptsForgiven: 2, Uncertain: true, TookEffect: true,
		Oversized: true, EffectKnown: true, LateEffect: true, LateCompensation: true, EarlierEffect: 2, Compensating: 1, Unsettled: []int{1, 2}, Rewinds: 3, Reopened: true, Round: 2, CompensationAttempts: 4,
		CompensationForgiven: 1, StartedAt: created, FinishedAt: created.Add(time.Microsecond), NextAttemptAt: created.Add(time.Hour),
		DeadlineAt: created.Add(-time.Second), Output: json.RawMessage(`{"a":1}`),
		Error:   &saga.StepError{Code: "c", Message: "m"},
		Waiting: saga.WaitForSignal, Children: []string{"c"}, ChildRevision: 5, EarlierSignals: []saga.GivenSignal{{ID: "e", Key: "l", Hash: []byte("g"), At: created}}, Signal: &saga.GivenSignal{ID: "i", Key: "k", Hash: []byte("h"), At: created, Output: json.RawMessage(`{"b":2}`), Error: &saga.StepError{Code: "n"}, Taken: true},
	}
	in := saga.Instance{ID: "x", CreatedAt: created, Progress: saga.Progress{
		Phase: saga.PhaseBackward, Parent: &saga.Parent{Saga: "p", Step: "s", Level: 2, Hidden: []saga.Pointer{"/a"}}, Hidden: []saga.Pointer{"/b", "/c"}, PausedByOperator: true, TurnBack: failure, Rewind: &saga.Rewind{To: "a", Patch: json.RawMessage(`{"a":null}`)}, Failure: failure, DeadlinePassed: true,
		ReopenedFrom: saga.Completed, Entries: 7, ProgressAt: created.Add(time.Minute), Overdue: true, LastAction: "y",
		Steps: []saga.StepState{
			whole,
			{Name: "null", Status: saga.StepPending, Round: 1},
			{Name: "c", Status: saga.StepSkipped, Round: 1},
			{Name: "d", Status: saga.StepSucceeded, Round: 1, Attempts: 1, TookEffect: true},
			{Name: "e", Status: saga.StepSucceeded, Round: 1, Attempts: 2},
		},
	}}
	requireAllSet(t, in.Progress)
	requireAllSet(t, whole)

	keys, err := seal.Parse([]byte("k1:" + base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))))
	require.NoError(t, err)
	for _, updated := range []time.Time{in.ProgressAt, created.Add(time.Hour)} {
		in.UpdatedAt = updated
		for _, at := range []place{{}, {keys: keys, scope: "saga"}} {
			text, err := new(texts).encode(progressOf(&in).seal(at))
			require.NoError(t, err)
			read, err := decodeProgress(at, []byte(text), created, updated, []string{"a", "null", "c", "d", "e"})
			require.NoError(t, err)
			assert.Equal(t, in.Progress, read)
		}
	}
	assert.Equal(t, `{"a","null","c","d","e"}`, stepNames(&in))
}

func requireAllSet(t *testing.T, value any) {
	t.Helper()
	fields := reflect.ValueOf(value)
	for i := range fields.NumField() {
		require.False(t, fields.Field(i).IsZero(), "%s is not set, so the test would not notice its loss", fields.Type().Field(i).Name)
	}
}
