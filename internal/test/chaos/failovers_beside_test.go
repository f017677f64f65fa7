package chaos

import (
	"flag"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

var dumpFlag = flag.String("chaos.dump", "", "file that gets the database of the version before, for testdata/before.sql")

// besideEachOther lets the version before steps that wait leave sagas in every state, migrates under its replicas, and replaces one
// of them. Both versions then end each other's sagas. Of definitions that only this version understands, the other one runs
// nothing.
func besideEachOther(t *testing.T) {
	t.Helper()
	fx := newFixture(t, testServers.take(t), scenario{number: 78, replicas: 2, arrange: func(fx *fixture) {
		fx.program = buildBefore(fx.t, "saga/waiting.go")
	}}, 1)
	defer fx.removeQueues()
	stored := fx.storeStates()
	if *dumpFlag != "" {
		fx.dump(*dumpFlag)
	}
	fx.migrateUp()
	fx.upgrade(fx.replicas[1])
	for _, p := range fx.workers {
		p.signal(syscall.SIGCONT)
	}
	families := fx.startFamilies(24)
	var crossed []string // the replica that acts is never the one that started
	for i := range 20 {
		crossed = append(crossed, fx.startOne("lazy", Data{Number: i, Script: map[string]Behaviour{"first": Slow}}))
	}
	for i, id := range crossed {
		_, err := fx.anyAPI(i+1).call(http.MethodPost, "/v1/sagas/"+id+"/compensate", "", map[string]any{"reason": "crosswise"}, nil)
		require.NoError(t, err)
	}
	fx.sideBySide(len(stored), len(stored), func(i int) { fx.endStored(stored[i], storedStates()[i], i) })
	fx.await(time.Minute, "sagas that the other version cancelled should end", func() bool {
		return fx.count(`select count(*) from sagas where definition = 'lazy' and finished_at is null`) == 0
	})
	fx.checkFamilies(families, func() { fx.upgrade(fx.replicas[0]) })
}

// storeStates brings a saga into each state.
func (fx *fixture) storeStates() []string {
	fx.t.Helper()
	for name, definition := range storedDefinitions() {
		fx.anyAPI(0).must(fx.t, http.MethodPut, "/v1/definitions/"+name, definition, nil, http.StatusCreated)
	}
	stored := make([]string, len(storedStates()))
	for i, state := range storedStates() {
		if state.unanswered {
			for _, p := range fx.workers {
				p.signal(syscall.SIGSTOP)
			}
		}
		var now resource.Saga
		status, err := fx.anyAPI(i).call(http.MethodPost, "/v1/sagas", "stored "+state.key, state.start(), &now)
		require.NoError(fx.t, err)
		require.Equal(fx.t, http.StatusCreated, status, state.key)
		stored[i] = now.ID
		fx.await(20*time.Second, state.key+" should be stored", func() bool {
			fx.anyAPI(i).must(fx.t, http.MethodGet, "/v1/sagas/"+now.ID, nil, &now, http.StatusOK)
			if state.action != "" && now.Status == saga.Running && retrying(&now) {
				body := map[string]any{"reason": "for the dump"}
				if state.action == "rewind" {
					body["to"] = "first"
				}
				fx.anyAPI(i+1).must(fx.t, http.MethodPost, "/v1/sagas/"+now.ID+"/"+state.action, body, &now, http.StatusOK)
			}
			return state.reached(&now)
		})
	}
	return stored
}

// start returns the request that starts a saga of the state.
func (s storedState) start() map[string]any {
	body := map[string]any{"definition": s.definition, "key": s.key, "data": Data{Script: s.script}}
	if s.startIn > 0 {
		body["start_at"] = time.Now().Add(s.startIn)
	}
	return body
}

func (s storedState) reached(now *resource.Saga) bool {
	reason := saga.AttentionReason("")
	if now.Attention != nil {
		reason = now.Attention.Reason
	}
	return now.Status == s.status && reason == s.reason
}

func retrying(now *resource.Saga) bool {
	for _, step := range now.Steps {
		if step.Status == saga.StepRetrying {
			return true
		}
	}
	return false
}

// dump writes the database as SQL. The commands for psql in it are left out.
func (fx *fixture) dump(file string) {
	fx.t.Helper()
	text, err := exec.CommandContext(fx.t.Context(), "pg_dump", "--inserts", "--no-owner", "--no-privileges", "--no-comments", fx.database).Output()
	require.NoError(fx.t, err)
	text = regexp.MustCompile(`(?m)^(\\.*|--.*|)\n`).ReplaceAll(text, nil)
	require.NoError(fx.t, os.WriteFile(file, text, 0o600))
}

// familyDefinitions use everything that the version before does not know.
func familyDefinitions() map[string]any {
	many := map[string]any{"max_attempts": 50, "initial_interval": "100ms", "max_interval": "1s"}
	one := func(name, queue string, more map[string]any) map[string]any {
		made := map[string]any{"name": name, "command": queue + ".do", "timeout": "2s", "retry": many}
		maps.Copy(made, more)
		return made
	}
	child := one("only", "inventory", nil)
	child["compensation"] = "inventory.compensate"
	return map[string]any{
		"child": map[string]any{"steps": []any{child}},
		"conditional": map[string]any{"steps": []any{
			one("first", "inventory", map[string]any{"output_as": "made"}),
			one("never", "payments", map[string]any{"when": "data.number < 0"}),
			one("last", "orders", map[string]any{"input": map[string]any{"number": "/number"}}),
		}},
		"family": map[string]any{"steps": []any{
			one("first", "inventory", nil),
			map[string]any{"name": "approval", "signal": "approved"},
			map[string]any{"name": "child", "saga": "child"},
			map[string]any{"name": "pause", "delay": "100ms"},
			one("never", "payments", map[string]any{"when": "data.number < 0"}),
		}},
	}
}

// startFamilies registers these definitions at the replica that knows them, and starts sagas there. The replica of the version
// before refuses to start them.
func (fx *fixture) startFamilies(count int) []string {
	fx.t.Helper()
	here, before := fx.apis[1], fx.apis[0]
	definitions := familyDefinitions()
	for _, name := range []string{"child", "conditional", "family"} {
		here.must(fx.t, http.MethodPut, "/v1/definitions/"+name, definitions[name], nil, http.StatusCreated)
	}
	ids := make([]string, count)
	for i := range ids {
		name := []string{"family", "conditional"}[i%2]
		var started resource.Saga
		body := map[string]any{"definition": name, "data": Data{Number: i}}
		here.must(fx.t, http.MethodPost, "/v1/sagas", body, &started, http.StatusCreated)
		ids[i] = started.ID
		if name == "family" {
			here.must(fx.t, http.MethodPost, "/v1/sagas/"+started.ID+"/signals/approved", map[string]any{}, nil, http.StatusOK)
		}
		status, err := before.call(http.MethodPost, "/v1/sagas", "", body, nil)
		require.NoError(fx.t, err)
		require.GreaterOrEqual(fx.t, status, http.StatusBadRequest, "the version before starts a saga that it does not understand")
	}
	return ids
}

// checkFamilies waits for the ends of the families. What the version before held back goes on once its last replica is replaced.
func (fx *fixture) checkFamilies(ids []string, replaceLast func()) {
	fx.t.Helper()
	unfinished := func() int {
		return fx.count(`select count(*) from sagas where definition in ('family', 'conditional', 'child') and finished_at is null`)
	}
	fx.let(5 * time.Second)
	fx.t.Logf("beside the version before, %d sagas that it does not understand have not ended", unfinished())
	letters := fx.count(`select count(*) from dead_letters where source = 'reply' and reason = 'unreadable_saga'`)
	others := fx.count(`select count(*) from dead_letters`) - letters
	fx.t.Logf("it dead-lettered %d of their replies, and %d other messages", letters, others)
	replaceLast()
	fx.await(3*time.Minute, "every family should end", func() bool { return unfinished() == 0 })
	for _, id := range ids {
		var now resource.Saga
		fx.anyAPI(0).must(fx.t, http.MethodGet, "/v1/sagas/"+id, nil, &now, http.StatusOK)
		assert.Equal(fx.t, saga.Completed, now.Status, "%s of %s", id, now.Definition)
		for _, child := range now.Children {
			fx.anyAPI(1).must(fx.t, http.MethodGet, "/v1/sagas/"+child, nil, &now, http.StatusOK)
			assert.Equal(fx.t, saga.Completed, now.Status, "child %s", child)
			assert.Equal(fx.t, id, now.Parent.Saga)
			assert.Empty(fx.t, now.Labels)
		}
	}
	assert.Zero(fx.t, countIn(fx.ledger, `select count(*) from ledger where step = 'never'`), "steps that conditions skip")
	assert.Zero(fx.t, others)
	assert.Zero(fx.t, countIn(fx.ledger, `select count(*) from (select from ledger where not compensated
		group by saga_id, step having count(*) > 1 and step in ('only', 'last')) twice`))
}
