package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/checker"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// behindGround is a Postgres with a standby that may lack the last commits. The services keep their own on the lane's.
func behindGround(t *testing.T, lane *arena) *arena {
	t.Helper()
	own := standbyGround(t, lane)
	own.env["SERVICES_URL"] = lane.databaseURL()
	return own
}

// throughSwitchBehind leads the replicas to the primary by a way that can be switched.
func throughSwitchBehind(w *world) {
	p, through, err := proxy.Start(w.database)
	require.NoError(w.t, err)
	w.t.Cleanup(p.Close)
	w.proxy, w.database, w.replicaDatabase = p, through, through
	name := "services_" + w.prefix[len(w.prefix)-8:] + "_kept"
	conn, err := pgx.Connect(w.t.Context(), w.env["SERVICES_URL"])
	require.NoError(w.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(w.t.Context(), "create database "+name+" template template0")
	require.NoError(w.t, err)
	u, err := url.Parse(w.env["SERVICES_URL"])
	require.NoError(w.t, err)
	u.Path = "/" + name
	w.services = u.String()
	w.t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), w.env["SERVICES_URL"]); err == nil {
			defer conn.Close(context.Background())
			_, _ = conn.Exec(context.Background(), "drop database "+name+" with (force)") // the lane goes with the suite
		}
	})
}

// failOverBehind promotes a standby that lacks the last commits, and cancels sagas through all replicas as soon as it
// answers. What a replica remembers of them is from before.
func failOverBehind(w *world) int {
	everySlow := map[string]Behaviour{"first": Slow, "second": Slow, "third": Slow, "fourth": Slow}
	ids := w.startMany(times(200, 60), "linear", everySlow)
	standby, err := pgx.Connect(w.t.Context(), w.env["STANDBY_URL"])
	require.NoError(w.t, err)
	defer standby.Close(context.Background())
	for _, statement := range []string{`alter system set primary_conninfo = 'host=127.0.0.1 port=1'`, `select pg_reload_conf()`} {
		_, err = standby.Exec(w.t.Context(), statement)
		require.NoError(w.t, err)
	}
	w.let(1500 * time.Millisecond)
	whole := w.broken()
	w.postgres(w.t).Stop(syscall.SIGKILL)
	_, err = standby.Exec(w.t.Context(), `select pg_promote()`)
	require.NoError(w.t, err)
	u, err := url.Parse(w.env["STANDBY_URL"])
	require.NoError(w.t, err)
	w.proxy.Lead(u.Host)
	w.proxy.Cut()
	w.awaitPostgres()
	w.forgetLost()
	w.cancelled = w.cancelNow(ids)
	whole()
	w.t.Logf("lost by the standby: %d sagas; cancels acknowledged afterwards: %d", len(w.lost), len(w.cancelled))
	return len(w.lost) + len(w.cancelled)
}

// forgetLost takes those sagas out of the load that the standby never had: it was asynchronous.
func (w *world) forgetLost() {
	there := make(map[string]bool)
	for _, id := range collect(w, w.sql, `select id from sagas`, pgx.RowTo[string]) {
		there[id] = true
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	w.lost, w.older = make(map[string]bool), make(map[string]bool)
	for id := range w.load.known {
		w.older[id] = true
		if !there[id] {
			w.lost[id] = true
			delete(w.load.known, id)
		}
	}
}

// unprovable reports whether a violation is about effects of a saga whose last commits a standby may lack: what its
// workers have done since, no database knows any more.
func (w *world) unprovable(v checker.Violation) bool {
	kept := []string{checker.RuleKnown, checker.RuleGapless, checker.RuleAgreement, checker.RuleOneEnd, checker.RuleSettled}
	return w.older[v.Saga] && !slices.Contains(kept, v.Rule)
}

// cancelNow cancels sagas side by side and returns those whose cancel was acknowledged.
func (w *world) cancelNow(ids []string) map[string]bool {
	var mu sync.Mutex
	acknowledged := make(map[string]bool)
	w.sideBySide(8, len(ids), func(i int) {
		for attempt := range 50 {
			var now resource.Saga
			status, err := w.anyAPI(i+attempt).call(http.MethodPost, "/v1/sagas/"+ids[i]+"/compensate", "", map[string]string{"reason": "failover"}, &now)
			switch {
			case err == nil && status == http.StatusOK:
				mu.Lock()
				acknowledged[ids[i]] = true
				mu.Unlock()
				return
			case err == nil && (status == http.StatusConflict || status == http.StatusNotFound):
				return
			}
			w.let(50 * time.Millisecond)
		}
	})
	return acknowledged
}

// noCancelLost: a cancel that was acknowledged after the failover is never overwritten, and replies for sagas that the
// database does not know are dead letters.
func noCancelLost(w *world, e evidence) []string {
	var faults []string
	for id := range w.cancelled {
		if status := e.answered[id].Status; status != saga.Compensated && status != saga.Stuck {
			faults = append(faults, fmt.Sprintf("%s was cancelled after the failover, and is %s", id, status))
		}
	}
	unknown := 0
	for _, reason := range e.DeadLetters {
		if reason == "unknown_saga" || reason == "unknown_command" {
			unknown++
		}
	}
	w.t.Logf("replies for what the database does not know: %d dead letters", unknown)
	if len(w.cancelled) == 0 {
		faults = append(faults, "no cancel was acknowledged")
	}
	return faults
}
