package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/checker"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// asyncStandby is a Postgres with a standby that may lack the last commits. The services keep theirs on the lane's
// Postgres.
func asyncStandby(t *testing.T, lane *serverSet) *serverSet {
	t.Helper()
	own := syncStandby(t, lane)
	own.env["SERVICES_URL"] = lane.databaseURL()
	return own
}

// throughSwitchBehind connects the replicas to the primary through a switchable proxy.
func throughSwitchBehind(fx *fixture) {
	p, through, err := proxy.Start(fx.database)
	require.NoError(fx.t, err)
	fx.t.Cleanup(p.Close)
	fx.proxy, fx.database, fx.replicaDatabase = p, through, through
	name := "services_" + fx.prefix[len(fx.prefix)-8:] + "_kept"
	conn, err := pgx.Connect(fx.t.Context(), fx.env["SERVICES_URL"])
	require.NoError(fx.t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(fx.t.Context(), "create database "+name+" template template0")
	require.NoError(fx.t, err)
	u, err := url.Parse(fx.env["SERVICES_URL"])
	require.NoError(fx.t, err)
	u.Path = "/" + name
	fx.services = u.String()
	fx.t.Cleanup(func() {
		if conn, err := pgx.Connect(context.Background(), fx.env["SERVICES_URL"]); err == nil {
			defer conn.Close(context.Background())
			_, _ = conn.Exec(context.Background(), "drop database "+name+" with (force)") // the servers of the lane are removed with the suite
		}
	})
}

// failOverBehind promotes a standby that lacks the last commits, and cancels sagas through all replicas as soon as it
// answers. The replicas' caches are older than the standby.
func failOverBehind(fx *fixture) int {
	everySlow := map[string]Behaviour{"first": Slow, "second": Slow, "third": Slow, "fourth": Slow}
	ids := fx.startMany(times(200, 60), "linear", everySlow)
	standby, err := pgx.Connect(fx.t.Context(), fx.env["STANDBY_URL"])
	require.NoError(fx.t, err)
	defer standby.Close(context.Background())
	for _, statement := range []string{`alter system set primary_conninfo = 'host=127.0.0.1 port=1'`, `select pg_reload_conf()`} {
		_, err = standby.Exec(fx.t.Context(), statement)
		require.NoError(fx.t, err)
	}
	fx.let(1500 * time.Millisecond)
	whole := fx.broken()
	promoteStandby(fx)
	fx.awaitPostgres()
	fx.forgetLost()
	fx.cancelled = fx.cancelNow(ids)
	whole()
	fx.t.Logf("lost by the standby: %d sagas; cancels acknowledged afterwards: %d", len(fx.lost), len(fx.cancelled))
	return len(fx.lost) + len(fx.cancelled)
}

// forgetLost removes the sagas from the load that the asynchronous standby never had.
func (fx *fixture) forgetLost() {
	there := make(map[string]bool)
	for _, id := range collect(fx, fx.sql, `select id from sagas`, pgx.RowTo[string]) {
		there[id] = true
	}
	fx.load.mu.Lock()
	defer fx.load.mu.Unlock()
	fx.lost, fx.older = make(map[string]bool), make(map[string]bool)
	for id := range fx.load.known {
		fx.older[id] = true
		if !there[id] {
			fx.lost[id] = true
			delete(fx.load.known, id)
		}
	}
}

// unprovable reports whether a violation concerns effects of a saga whose last commits the standby may lack: no
// database knows what its workers have done since.
func (fx *fixture) unprovable(v checker.Violation) bool {
	kept := []string{checker.RuleKnown, checker.RuleGapless, checker.RuleAgreement, checker.RuleOneEnd, checker.RuleSettled}
	return fx.older[v.Saga] && !slices.Contains(kept, v.Rule)
}

// cancelNow cancels sagas concurrently and returns those whose cancel was acknowledged.
func (fx *fixture) cancelNow(ids []string) map[string]bool {
	var mu sync.Mutex
	acknowledged := make(map[string]bool)
	fx.sideBySide(8, len(ids), func(i int) {
		for attempt := range 50 {
			var now resource.Saga
			status, err := fx.anyAPI(i+attempt).call(http.MethodPost, "/v1/sagas/"+ids[i]+"/compensate", "", map[string]string{"reason": "failover"}, &now)
			switch {
			case err == nil && status == http.StatusOK:
				mu.Lock()
				acknowledged[ids[i]] = true
				mu.Unlock()
				return
			case err == nil && (status == http.StatusConflict || status == http.StatusNotFound):
				return
			}
			fx.let(50 * time.Millisecond)
		}
	})
	return acknowledged
}

// noCancelLost: a cancel that was acknowledged after the failover is never overwritten, and replies for sagas unknown
// to the database are dead letters.
func noCancelLost(fx *fixture, e evidence) []string {
	var faults []string
	for id := range fx.cancelled {
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
	fx.t.Logf("replies for sagas unknown to the database: %d dead letters", unknown)
	if len(fx.cancelled) == 0 {
		faults = append(faults, "no cancel was acknowledged")
	}
	return faults
}
