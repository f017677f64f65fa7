package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
)

func togetherFaults() []scenario {
	return []scenario{{
		number: 66, name: "all partial failures at once", inject: everythingAtOnce, arrange: throughPeer, replicas: 2, unloaded: true, damaged: true,
	}}
}

const (
	storedRows  = 300_000
	slowLists   = 12
	watchers    = 1000
	healthySent = 500
)

// everythingAtOnce combines a poisoned message in each queue, a queue without confirms, one that refuses, an unreadable
// definition and rows, a thousand watchers, and twelve callers of large lists. Healthy sagas must not be affected.
func everythingAtOnce(fx *fixture) int {
	fx.fillTable()
	fx.control(fx.t, "set_policy", "tiny", "^"+fx.prefix+`\.commands\.`+narrow+"$", `{"max-length":1}`, "--apply-to", "queues")
	whole := fx.broken()
	var withheld atomic.Int64
	fx.peer.Set(withholding(&withheld))
	doomed := fx.startOf("doomed", limbo, 200)
	doomed = append(doomed, fx.startOf("refused", narrow, 200)...)
	doomed = append(doomed, fx.startOf("broken", limbo, 50)...)
	for _, statement := range []string{
		`update definitions set body = '{"steps":[{"name":"only","kind":"quantum"}]}' where name = 'broken'`,
		`update sagas set progress = '{"s":"unknown"}', wake_at = now() where definition = 'refused' and id in (select id from sagas where definition = 'refused' limit 20)`,
		`update sagas set wake_at = now() where definition = 'broken'`,
	} {
		_, err := fx.sql.Exec(fx.t.Context(), statement)
		require.NoError(fx.t, err, statement)
	}
	poisoned := poisonQueues(fx)

	besides, stop := context.WithCancel(fx.t.Context())
	var beside sync.WaitGroup
	fx.watch(besides, &beside, doomed[0])
	fx.list(besides, &beside)
	health := fx.probeHealth(besides, &beside)
	starts := fx.startHealthy()
	fx.await(60*time.Second, "every healthy saga should complete", func() bool {
		return fx.count(`select count(*) from sagas where definition = 'linear' and status = 'completed' and id > '01'`) == healthySent
	})
	stop()
	beside.Wait()
	fx.t.Logf("starts: p50 %s, p99 %s; /healthz: worst %s of %d", starts[len(starts)/2], starts[len(starts)*99/100], slices.Max(*health), len(*health))
	require.Less(fx.t, starts[len(starts)*99/100], time.Second, "p99 of a start")
	require.Less(fx.t, slices.Max(*health), time.Second, "/healthz")
	fx.peer.Set(amqpproxy.Rules{})
	fx.widen()
	fx.abandon(doomed)
	fx.emptyTable()
	whole()
	return poisoned
}

// fillTable copies a finished saga very often, under ids before all others.
func (fx *fixture) fillTable() {
	fx.t.Helper()
	model := fx.startOne("single", Data{Number: 1})
	fx.await(30*time.Second, "the copied saga should complete", func() bool {
		return fx.count(`select count(*) from sagas where status = 'completed'`) == 1
	})
	_, err := fx.sql.Exec(fx.t.Context(), `do $$ declare columns text; begin
		select string_agg(quote_ident(column_name), ', ') into columns from information_schema.columns
			where table_name = 'sagas' and column_name <> 'id';
		execute format('insert into sagas (id, %s) select ''00'' || upper(lpad(to_hex(n), 24, ''0'')), %s
			from sagas, generate_series(1, `+fmt.Sprint(storedRows)+`) n where id = ''`+model+`''', columns, columns);
		analyze sagas; end $$`)
	require.NoError(fx.t, err)
}

// emptyTable deletes the copies, so that the checker reads only real sagas.
func (fx *fixture) emptyTable() {
	fx.t.Helper()
	_, err := fx.sql.Exec(fx.t.Context(), `delete from sagas where id < '01'`)
	require.NoError(fx.t, err)
}

// watch opens streams of one saga, as far as the replicas accept them.
func (fx *fixture) watch(ctx context.Context, beside *sync.WaitGroup, id string) {
	for i := range watchers {
		beside.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, fx.anyAPI(i).base+"/v1/sagas/"+id+"/watch", nil)
			if err != nil {
				return
			}
			response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
			if err != nil {
				return // the end of the scenario, or a refused connection
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
		})
	}
}

// list calls lists with every filter in turn, from several callers.
func (fx *fixture) list(ctx context.Context, beside *sync.WaitGroup) {
	filters := []string{
		"definition=rare", "definition=single", "status=abandoned", "status=completed&limit=500", "version=7", "key=none",
		"label=region%3Deu", "created_before=2020-01-01T00:00:00Z", "attention=true", "definition=single&status=stuck",
	}
	for i := range slowLists {
		beside.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				_, _ = fx.anyAPI(n).call(http.MethodGet, "/v1/sagas?"+filters[n%len(filters)], "", nil, nil) // it may be refused with a Retry-After
			}
		})
	}
}

// probeHealth requests the health of each replica repeatedly, over a new connection each time, as probes do.
func (fx *fixture) probeHealth(ctx context.Context, beside *sync.WaitGroup) *[]time.Duration {
	took := &[]time.Duration{0}
	beside.Go(func() {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for n := 0; ctx.Err() == nil; n++ {
			began := time.Now()
			response, err := client.Get(fx.anyAPI(n).base + "/healthz")
			if err == nil {
				_ = response.Body.Close()
			}
			*took = append(*took, time.Since(began))
			fx.let(50 * time.Millisecond)
		}
	})
	return took
}

// startHealthy starts sagas one after the other and returns the sorted durations of the starts.
func (fx *fixture) startHealthy() []time.Duration {
	took := make([]time.Duration, healthySent)
	for i := range took {
		began := time.Now()
		var started resource.Saga
		body := map[string]any{"definition": "linear", "data": Data{Number: i}}
		fx.anyAPI(i).must(fx.t, http.MethodPost, "/v1/sagas", body, &started, http.StatusCreated)
		took[i] = time.Since(began)
		fx.load.acknowledged(started.ID, Data{Number: i})
		fx.let(20 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}
