package saga_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestACommandIDSurvivesItsText(t *testing.T) {
	t.Parallel()
	for text, id := range map[string]saga.CommandID{
		"01JD/charge/execute/1":       {Saga: "01JD", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: 1},
		"01JD/charge/execute/1000":    {Saga: "01JD", Step: "charge", Direction: saga.Execute, Round: 1, Attempt: 1000},
		"01JD/charge/compensate/2":    {Saga: "01JD", Step: "charge", Direction: saga.Compensate, Round: 1, Attempt: 2},
		"01JD/charge/compensate-2/1":  {Saga: "01JD", Step: "charge", Direction: saga.Compensate, Round: 2, Attempt: 1},
		"01JD/charge/execute-2/1":     {Saga: "01JD", Step: "charge", Direction: saga.Execute, Round: 2, Attempt: 1},
		"01JD/charge/compensate-13/7": {Saga: "01JD", Step: "charge", Direction: saga.Compensate, Round: 13, Attempt: 7},
		"a.b:c_d/x/execute/1":         {Saga: "a.b:c_d", Step: "x", Direction: saga.Execute, Round: 1, Attempt: 1},
	} {
		require.Equal(t, text, id.String())
		read, err := saga.ParseCommandID(text)
		require.NoError(t, err)
		require.Equal(t, id, read)
	}
}

func TestTheIdempotencyKeyOmitsTheAttempt(t *testing.T) {
	t.Parallel()
	for attempt := 1; attempt < 4; attempt++ {
		id := saga.CommandID{Saga: "s", Step: "a", Direction: saga.Compensate, Round: 2, Attempt: attempt}
		require.Equal(t, "s/a/compensate-2", id.IdempotencyKey())
	}
}

func TestAMalformedCommandIDIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "/", "///", "s", "s/a", "s/a/execute", "s/a/execute/", "/a/execute/1", "s//execute/1", "s/a//1",
		"s/a/execute/0", "s/a/execute/-1", "s/a/execute/+1", "s/a/execute/01", "s/a/execute/ 1", "s/a/execute/1 ",
		"s/a/execute/1.0", "s/a/execute/one", "s/a/execute/1/2", "s/a/execute/99999999999999999999",
		"s/a/Execute/1", "s/a/reverse/1", "s/a/compensate-/1", "s/a/compensate-0/1",
		"s/a/compensate-1/1", "s/a/compensate-02/1", "s/a/compensate--2/1", "s/a/compensate-2-3/1", "s/a/-2/1",
	} {
		_, err := saga.ParseCommandID(text)
		require.Error(t, err, "%q", text)
	}
}

func FuzzParseCommandID(f *testing.F) {
	for _, text := range []string{"s/a/execute/1", "s/a/compensate/20", "s/a/compensate-2/1", "s/a/compensate-02/1", "///", "s/a/execute/\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := saga.ParseCommandID(text)
		if err != nil {
			return
		}
		require.Equal(t, text, id.String())
		require.Positive(t, id.Attempt)
		require.Positive(t, id.Round)
		again, err := saga.ParseCommandID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}
