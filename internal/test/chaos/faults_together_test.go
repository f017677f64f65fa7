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

// everythingAtOnce has a poisoned message in each queue, a queue that does not confirm, one that refuses, a definition and
// rows that cannot be read, a thousand watchers, and twelve callers of lists over many rows. Healthy sagas must not notice.
func everythingAtOnce(w *world) int {
	w.fillTable()
	w.control(w.t, "set_policy", "tiny", "^"+w.prefix+`\.commands\.`+narrow+"$", `{"max-length":1}`, "--apply-to", "queues")
	whole := w.broken()
	var withheld atomic.Int64
	w.peer.Set(withholding(&withheld))
	doomed := w.startOf("doomed", limbo, 200)
	doomed = append(doomed, w.startOf("refused", narrow, 200)...)
	doomed = append(doomed, w.startOf("broken", limbo, 50)...)
	for _, statement := range []string{
		`update definitions set body = '{"steps":[{"name":"only","kind":"quantum"}]}' where name = 'broken'`,
		`update sagas set progress = '{"s":"what is this"}', wake_at = now() where definition = 'refused' and id in (select id from sagas where definition = 'refused' limit 20)`,
		`update sagas set wake_at = now() where definition = 'broken'`,
	} {
		_, err := w.sql.Exec(w.t.Context(), statement)
		require.NoError(w.t, err, statement)
	}
	poisoned := poisonQueues(w)

	besides, stop := context.WithCancel(w.t.Context())
	var beside sync.WaitGroup
	w.watch(besides, &beside, doomed[0])
	w.list(besides, &beside)
	health := w.probeHealth(besides, &beside)
	starts := w.startHealthy()
	w.await(60*time.Second, "every healthy saga should complete", func() bool {
		return w.count(`select count(*) from sagas where definition = 'linear' and status = 'completed' and id > '01'`) == healthySent
	})
	stop()
	beside.Wait()
	w.t.Logf("starts: p50 %s, p99 %s; /healthz: worst %s of %d", starts[len(starts)/2], starts[len(starts)*99/100], slices.Max(*health), len(*health))
	require.Less(w.t, starts[len(starts)*99/100], time.Second, "p99 of a start")
	require.Less(w.t, slices.Max(*health), time.Second, "/healthz")
	w.peer.Set(amqpproxy.Rules{})
	w.widen()
	w.abandon(doomed)
	w.emptyTable()
	whole()
	return poisoned
}

// fillTable copies a finished saga very many times, under ids before all others.
func (w *world) fillTable() {
	w.t.Helper()
	model := w.startOne("single", Data{Number: 1})
	w.await(30*time.Second, "the model should complete", func() bool {
		return w.count(`select count(*) from sagas where status = 'completed'`) == 1
	})
	_, err := w.sql.Exec(w.t.Context(), `do $$ declare columns text; begin
		select string_agg(quote_ident(column_name), ', ') into columns from information_schema.columns
			where table_name = 'sagas' and column_name <> 'id';
		execute format('insert into sagas (id, %s) select ''00'' || upper(lpad(to_hex(n), 24, ''0'')), %s
			from sagas, generate_series(1, `+fmt.Sprint(storedRows)+`) n where id = ''`+model+`''', columns, columns);
		analyze sagas; end $$`)
	require.NoError(w.t, err)
}

// emptyTable takes the copies away again, so that the judge has to look at real sagas only.
func (w *world) emptyTable() {
	w.t.Helper()
	_, err := w.sql.Exec(w.t.Context(), `delete from sagas where id < '01'`)
	require.NoError(w.t, err)
}

// watch holds streams of one saga, as far as the replicas let it.
func (w *world) watch(ctx context.Context, beside *sync.WaitGroup, id string) {
	for i := range watchers {
		beside.Go(func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.anyAPI(i).base+"/v1/sagas/"+id+"/watch", nil)
			if err != nil {
				return
			}
			response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
			if err != nil {
				return // the end of the scenario, or a connection that a replica did not want
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
		})
	}
}

// list calls lists by every filter, one after the other, from several callers.
func (w *world) list(ctx context.Context, beside *sync.WaitGroup) {
	filters := []string{
		"definition=rare", "definition=single", "status=abandoned", "status=completed&limit=500", "version=7", "key=none",
		"label=region%3Deu", "created_before=2020-01-01T00:00:00Z", "attention=true", "definition=single&status=stuck",
	}
	for i := range slowLists {
		beside.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				_, _ = w.anyAPI(n).call(http.MethodGet, "/v1/sagas?"+filters[n%len(filters)], "", nil, nil) // it may be told to come later
			}
		})
	}
}

// probeHealth asks for the health of each replica again and again, each time over a new connection, as probes do.
func (w *world) probeHealth(ctx context.Context, beside *sync.WaitGroup) *[]time.Duration {
	took := &[]time.Duration{0}
	beside.Go(func() {
		client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for n := 0; ctx.Err() == nil; n++ {
			began := time.Now()
			response, err := client.Get(w.anyAPI(n).base + "/healthz")
			if err == nil {
				_ = response.Body.Close()
			}
			*took = append(*took, time.Since(began))
			w.let(50 * time.Millisecond)
		}
	})
	return took
}

// startHealthy starts sagas one after the other and returns how long each start took, in order of length.
func (w *world) startHealthy() []time.Duration {
	took := make([]time.Duration, healthySent)
	for i := range took {
		began := time.Now()
		var started resource.Saga
		body := map[string]any{"definition": "linear", "data": Data{Number: i}}
		w.anyAPI(i).must(w.t, http.MethodPost, "/v1/sagas", body, &started, http.StatusCreated)
		took[i] = time.Since(began)
		w.load.acknowledged(started.ID, Data{Number: i})
		w.let(20 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}
