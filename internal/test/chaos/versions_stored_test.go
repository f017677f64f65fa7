package chaos

import (
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// storedState is a state in which the version before leaves a saga, and where the saga ends.
type storedState struct {
	key, definition string
	script          map[string]Behaviour
	startIn         time.Duration
	unanswered      bool   // the workers are stopped meanwhile
	action          string // brings the saga into the state once its first step is retrying
	status          saga.Status
	reason          saga.AttentionReason
	end             saga.Status
}

func storedStates() []storedState {
	type script = map[string]Behaviour
	const firstBack = "first/compensate"
	return []storedState{
		{key: "completed", definition: "linear", status: saga.Completed, end: saga.Completed},
		{key: "compensated", definition: "linear", script: script{"third": Decline}, status: saga.Compensated, end: saga.Compensated},
		{
			key: "compensation exhausted", definition: "frail", script: script{"second": Decline, firstBack: Reluctant},
			status: saga.Stuck, reason: saga.CompensationExhausted, end: saga.Compensated,
		},
		{
			key: "retries exhausted", definition: "steep", script: script{"last": Reluctant},
			status: saga.Stuck, reason: saga.RetriesExhausted, end: saga.Completed,
		},
		{key: "pivot unknown", definition: "leap", script: script{"pivot": Mute}, status: saga.Stuck, reason: saga.PivotUnknown, end: saga.Completed},
		{key: "step failed", definition: "parked", script: script{"first": Reluctant}, status: saga.Stuck, reason: saga.StepFailure, end: saga.Completed},
		{key: "late effect", definition: "brief", script: script{"only": Late}, status: saga.Compensated, reason: saga.LateEffect, end: saga.Compensated},
		{key: "abandoned", definition: "lazy", script: script{"first": Flaky}, action: "abandon", status: saga.Abandoned, end: saga.Abandoned},
		{key: "paused", definition: "lazy", script: script{"first": Flaky}, action: "pause", status: saga.Paused, end: saga.Completed},
		{
			key: "rewinding", definition: "lazy", script: script{"second": Flaky, firstBack: Flaky}, action: "rewind",
			status: saga.Compensating, end: saga.Completed,
		},
		{
			key: "compensating", definition: "lazy", script: script{"second": Decline, firstBack: Flaky},
			status: saga.Compensating, end: saga.Compensated,
		},
		{key: "retrying", definition: "lazy", script: script{"first": Flaky}, status: saga.Running, end: saga.Completed},
		{key: "scheduled", definition: "linear", startIn: time.Minute, status: saga.Scheduled, end: saga.Completed},
		{key: "command out", definition: "linear", unanswered: true, status: saga.Running, end: saga.Completed},
	}
}

// storedDefinitions are those of the states, beside those of the load.
func storedDefinitions() map[string]*saga.Definition {
	waiting := saga.RetryPolicy{MaxAttempts: 5, InitialInterval: saga.Duration(15 * time.Second), Multiplier: 2, MaxInterval: saga.Duration(time.Minute)}
	lazy := []saga.Step{step("first", "inventory"), step("second", "payments", "first")}
	frail := []saga.Step{step("first", "inventory"), step("second", "payments", "first")}
	for i := range lazy {
		lazy[i].Retry, lazy[i].CompensationRetry, frail[i].CompensationRetry = waiting, waiting, policy(1)
	}
	return map[string]*saga.Definition{
		"lazy": {Steps: lazy}, "frail": {Steps: frail}, "parked": {Steps: []saga.Step{step("first", "inventory")}, OnFailure: saga.Park},
		"steep": {Steps: pastPivot(AttemptTimeout)}, "leap": {Steps: pastPivot(2 * BriefTimeout)},
	}
}

func pastPivot(timeout time.Duration) []saga.Step {
	pivot, last := step("pivot", "orders", "first"), step("last", "payments", "pivot")
	pivot.Kind, pivot.Compensation, pivot.Timeout, pivot.Retry = saga.Pivot, "", saga.Duration(timeout), policy(1)
	last.Kind, last.Compensation, last.Retry = saga.Retriable, "", policy(1)
	return []saga.Step{step("first", "inventory"), pivot, last}
}

// endStored brings a saga that the version before has stored to its end: an operator resumes it, or retries what is exhausted.
// turn selects the replicas, one after the other.
func (fx *fixture) endStored(id string, state storedState, turn int) {
	fx.t.Helper()
	var now resource.Saga
	fx.await(2*time.Minute, state.key+" should end as "+string(state.end), func() bool {
		turn++
		if _, err := fx.anyAPI(turn).call(http.MethodGet, "/v1/sagas/"+id, "", nil, &now); err != nil {
			return false
		}
		action := map[saga.Status]string{saga.Paused: "resume", saga.Stuck: "retry"}[now.Status]
		if now.Status.Terminal() && now.Attention != nil {
			action = "acknowledge"
		}
		if action != "" {
			_, _ = fx.anyAPI(turn+1).call(http.MethodPost, "/v1/sagas/"+id+"/"+action, "", map[string]any{"reason": "upgraded"}, nil)
		}
		return now.Status == state.end && now.Attention == nil
	})
	var history resource.List[resource.HistoryEntry]
	fx.anyAPI(turn).must(fx.t, http.MethodGet, "/v1/sagas/"+id+"/history?limit=500", nil, &history, http.StatusOK)
	require.NotEmpty(fx.t, history.Items, state.key)
	for i, entry := range history.Items {
		assert.EqualValues(fx.t, i+1, entry.Seq, state.key)
	}
}

// testdata/before.sql is a database of the version before steps that wait, with a saga in every state. That version has
// written it itself: `make failover` with -chaos.dump testdata/before.sql.
func TestTheDatabaseOfTheVersionBeforeIsUpgraded(t *testing.T) {
	t.Parallel()
	dump, err := os.ReadFile("testdata/before.sql")
	require.NoError(t, err)
	restore := func(fx *fixture) {
		connection, err := pgx.Connect(t.Context(), fx.database)
		require.NoError(t, err)
		defer connection.Close(t.Context())
		_, err = connection.PgConn().Exec(t.Context(), string(dump)).ReadAll()
		require.NoError(t, err)
	}
	fx := newFixture(t, testServers.take(t), scenario{
		number: 79, replicas: 2, arrange: restore,
		// The sagas of the dump are old.
		replicaEnvironment: []string{"ORCHESTRATOR_RETAIN_COMPLETED=0", "ORCHESTRATOR_RETAIN_UNDONE=0"},
	}, 1)
	defer fx.removeQueues()

	for name, definition := range storedDefinitions() {
		fx.anyAPI(0).must(t, http.MethodPut, "/v1/definitions/"+name, definition, nil, http.StatusOK)
	}
	var versions int
	require.NoError(t, fx.sql.QueryRow(t.Context(), `select max(version) from definitions`).Scan(&versions))
	require.Equal(t, 1, versions, "a definition of the version before is the same as the one that is registered again")

	states := storedStates()
	fx.sideBySide(len(states), len(states), func(i int) {
		state := states[i]
		var found resource.List[resource.Saga]
		fx.anyAPI(i).must(t, http.MethodGet, "/v1/sagas?key="+url.QueryEscape(state.key), nil, &found, http.StatusOK)
		require.Len(t, found.Items, 1, state.key)
		one := found.Items[0]
		if state.startIn == 0 { // the idempotency key is still known, with the body
			var again resource.Saga
			status, err := fx.anyAPI(i).call(http.MethodPost, "/v1/sagas", "stored "+state.key, state.start(), &again)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status, state.key)
			require.Equal(t, one.ID, again.ID, state.key)
		}
		fx.endStored(one.ID, state, i)
	})
	require.Zero(t, fx.count(`select count(*) from dead_letters`))
}
