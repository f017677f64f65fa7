package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// withFailpoints builds the orchestrator with failpoints, once.
var withFailpoints = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("saga-e2e-%d", os.Getpid()), "orchestrator-failpoints")
	build := exec.Command("go", "build", "-tags", "failpoints", "-o", path, "../../../cmd/orchestrator")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/orchestrator: %w: %s", err, output)
	}
	return path, nil
})

// betweenParentAndChild are the places at which a process can die while a saga and its child talk to each other.
func betweenParentAndChild() []string {
	return []string{
		"store/beginning", "store/committing", "store/committed", "engine/committed", "relay/publishing", "engine/delivering",
		"engine/delivered", "relay/confirmed", "engine/forgetting",
	}
}

// kills is how often the processes die. SAGA_KILLS sets it for a long run.
func kills(t *testing.T) int {
	t.Helper()
	given := os.Getenv("SAGA_KILLS")
	if given == "" {
		return len(betweenParentAndChild())
	}
	number, err := strconv.Atoi(given)
	require.NoError(t, err)
	return number
}

// Every third parent turns back after its child has completed, every third while it runs.
func TestRule23NoCrashPartsAParentFromItsChild(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	program, err := withFailpoints()
	require.NoError(t, err)
	address := freeAddress(t)
	serving, a := fx.serve(address)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/leaf", map[string]any{"steps": []any{map[string]any{"name": "rest", "delay": "50ms"}}}, nil)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/middle", map[string]any{"steps": []any{
		map[string]any{"name": "leaf", "saga": "leaf"}, map[string]any{"name": "rest", "delay": "50ms"},
	}}, nil)
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/root", map[string]any{"steps": []any{
		map[string]any{"name": "middle", "saga": "middle"},
		map[string]any{"name": "rest", "delay": "20ms"},
		map[string]any{"name": "last", "until": "/last", "when": "has(data.last)"},
	}}, nil)
	serving.kill()

	var ids []string
	points := betweenParentAndChild()
	for kill := range kills(t) {
		doomed := append([]string{fmt.Sprintf("FAILPOINTS=%s=exit@%d", points[kill%len(points)], 3+kill%7)}, fx.environment...)
		serving := start(t, doomed, program, "serve", "--auth", "none", "--listen", address)
		ids = append(ids, a.startFamilies(kill, serving)...)
		serving.kill()
	}
	_, a = fx.serve(address)
	ended := a.ends(ids)
	fx.checkFamilies(ended)
}

// startFamilies starts sagas until the process dies, and cancels some. It returns those that were acknowledged.
func (a *api) startFamilies(round int, serving *process) (ids []string) {
	deadline := time.Now().Add(10 * time.Second)
	for number := 0; time.Now().Before(deadline); number++ {
		select {
		case <-serving.ended:
			return ids
		default:
		}
		data := map[string]any{}
		if number%3 == 0 {
			data["last"] = "no time" // the parent turns back
		}
		var started resource.Saga
		status, err := a.call(http.MethodPost, "/v1/sagas", fmt.Sprintf("family-%d-%d", round, number), map[string]any{"definition": "root", "data": data}, &started)
		if err != nil || status >= 300 {
			<-time.After(20 * time.Millisecond)
			continue
		}
		ids = append(ids, started.ID)
		if number%3 == 1 {
			_, _ = a.call(http.MethodPost, "/v1/sagas/"+started.ID+"/compensate", "", map[string]any{"reason": "a change of mind"}, nil)
		}
		if number > 20 {
			<-time.After(20 * time.Millisecond)
		}
	}
	return ids
}

// checkFamilies compares parents and children by the database itself.
func (fx *fixture) checkFamilies(ended map[string]resource.Saga) {
	t := fx.t
	t.Helper()
	ctx := context.Background()
	connection, err := pgx.Connect(ctx, fx.databaseURL)
	require.NoError(t, err)
	defer connection.Close(ctx)
	count := func(what, statement string) {
		t.Helper()
		var found int
		require.NoError(t, connection.QueryRow(ctx, statement).Scan(&found))
		assert.Zero(t, found, what)
	}
	counts := make(map[saga.Status]int)
	for _, one := range ended {
		counts[one.Status]++
	}
	t.Logf("%d families: %v", len(ended), counts)
	require.Eventually(t, func() bool {
		var open int
		require.NoError(t, connection.QueryRow(ctx, `select count(*) from sagas where finished_at is null`).Scan(&open))
		return open == 0
	}, settled, 100*time.Millisecond, "every saga has ended")
	count("a child whose parent does not know it", `select count(*) from children c join sagas p on p.id = c.parent
		where not exists (select from json_array_elements(p.progress -> 's') s, json_array_elements_text(s -> 'children') k where k = c.saga_id)`)
	count("a child that a parent knows and that is not there", `select count(*) from sagas p, json_array_elements(p.progress -> 's') s,
		json_array_elements_text(s -> 'children') k where not exists (select from sagas c where c.id = k)`)
	count("two children of one step", `select count(*) from (select from children group by parent, step having count(*) > 1) twice`)
	count("a completed parent without a completed child", `select count(*) from sagas p join children c on c.parent = p.id join sagas s on s.id = c.saga_id
		where p.status = 'completed' and s.status <> 'completed'`)
	count("a compensated parent with a child that is not", `select count(*) from sagas p join children c on c.parent = p.id join sagas s on s.id = c.saga_id
		where p.status = 'compensated' and s.status <> 'compensated'`)
	count("a saga that needs attention", `select count(*) from sagas where attention_reason is not null`)
	count("a message that was not delivered", `select count(*) from outbox where created_at < now() - interval '30 seconds'`)
}
