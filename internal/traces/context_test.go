package traces_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/traces"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const callers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func attempt(step string, number int) saga.CommandID {
	return saga.CommandID{Saga: "01J00000000000000000000000", Step: step, Direction: saga.Execute, Round: 1, Attempt: number}
}

func TestACommandCarriesItsSpanInTheCallersTrace(t *testing.T) {
	t.Parallel()
	first := traces.TraceParent(attempt("a", 1), callers)
	require.Regexp(t, `^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$`, first)
	assert.Equal(t, first, traces.TraceParent(attempt("a", 1), callers), "any replica derives the same")
	assert.Equal(t, first, traces.TraceParent(attempt("a", 1), first), "also when the command is published again")
	assert.NotEqual(t, first, traces.TraceParent(attempt("a", 2), callers))
	assert.NotEqual(t, first, traces.TraceParent(attempt("b", 1), callers))
}

func TestATraceThatIsNotSampledStaysSo(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{"00": "-00", "02": "-00", "01": "-01", "05": "-01", "ff": "-01"} {
		assert.True(t, strings.HasSuffix(traces.TraceParent(attempt("a", 1), strings.TrimSuffix(callers, "01")+flags), want), flags)
	}
}

func TestASagaWithoutACallersTraceHasItsOwn(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"", "00-aa-bb-01", "nothing", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		own := traces.TraceParent(attempt("a", 1), given)
		assert.Regexp(t, `^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`, own)
		assert.Equal(t, strings.Split(own, "-")[1], strings.Split(traces.TraceParent(attempt("b", 3), given), "-")[1])
	}
}
