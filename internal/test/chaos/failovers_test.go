package chaos

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// failovers is the table of what the servers underneath survive by themselves: each scenario cancels sagas besides the load.
func failovers() []scenario {
	scenarios := []scenario{
		{
			number: 70, name: "Postgres is killed, its synchronous standby is promoted, the URL names both", short: true,
			inject: failOverByURL, servers: syncStandby, arrange: twoHosts, storeAway: true,
		},
		{number: 71, name: "Patroni: the leader is lost", inject: loseLeader, arrange: underPatroni, storeAway: true, expect: limits{late: 4 * time.Second}},
		{number: 72, name: "Patroni: a switchover", inject: switchOver, arrange: underPatroni, storeAway: true},
		{number: 73, name: "pgbouncer pools transactions, and restarts", short: true, inject: restartPooler, arrange: throughPgbouncer, migrated: true, storeAway: true},
		{number: 74, name: "RabbitMQ cluster: the node with all leaders is killed", short: true, inject: killNode, servers: threeNodes},
		{number: 75, name: "RabbitMQ cluster: the node with all leaders is cut off", inject: isolateNode, servers: threeNodes},
		{number: 76, name: "a rolling upgrade from the version before", inject: rollOver, arrange: versionBefore, replicas: 3},
		{
			number: 77, name: "the database is restored from a backup", inject: restoreBackup, arrange: keepBackup, storeAway: true,
			expect: limits{late: time.Minute}, // timers of the backup were due before it was restored
		},
	}
	for i := range scenarios {
		scenarios[i].inject = withCancels(scenarios[i].inject)
		verify := scenarios[i].verify
		scenarios[i].verify = func(fx *fixture, e evidence) []string {
			faults := cancelsHold(fx, e)
			if verify != nil {
				faults = append(faults, verify(fx, e)...)
			}
			return faults
		}
	}
	return scenarios
}

func TestFailover(t *testing.T) {
	packages := map[string]string{"/usr/sbin/pgbouncer": "pgbouncer"}
	if *everything {
		maps.Copy(packages, map[string]string{"patroni": "patroni", "etcd": "etcd-server"})
	}
	require.NoError(t, servers.Install(context.Background(), packages))
	runAll(t, failovers())
	if *everything {
		besideEachOther(t)
	}
}

// withCancels cancels one saga after the other while a fault is injected.
func withCancels(inject func(fx *fixture) int) func(fx *fixture) int {
	return func(fx *fixture) int {
		acknowledged, quit, done := make(map[string]bool), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			tried := make(map[string]bool)
			for {
				if id := fx.load.untried(tried); id != "" {
					maps.Copy(acknowledged, fx.cancelNow([]string{id}))
				}
				select {
				case <-quit:
					if len(acknowledged) > 0 {
						return
					}
				case <-time.After(200 * time.Millisecond):
				}
			}
		}()
		times := inject(fx)
		close(quit)
		<-done
		fx.cancelled = acknowledged
		return times
	}
}

// untried returns the newest acknowledged saga that was not returned before; empty: none.
func (l *load) untried(tried map[string]bool) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := ""
	for id := range l.known {
		if id > newest && !tried[id] {
			newest = id
		}
	}
	tried[newest] = true
	return newest
}

// cancelsHold: a saga whose cancel was acknowledged has it in its history and does not complete, unless its pivot was out and
// succeeded (rule 14).
func cancelsHold(fx *fixture, e evidence) []string {
	requested, late := make(map[string]bool), make(map[string]bool)
	for _, one := range e.entries {
		requested[one.SagaID] = requested[one.SagaID] || one.Type == saga.EntryCancelRequested
		late[one.SagaID] = late[one.SagaID] || one.Type == saga.EntryCancelTooLate
	}
	var faults []string
	for id := range fx.cancelled {
		status := e.answered[id].Status
		turned := status == saga.Compensated || status == saga.Stuck || status == saga.Completed && late[id]
		if !fx.older[id] && (!turned || !requested[id]) {
			faults = append(faults, fmt.Sprintf("the cancel of %s was acknowledged, and it is %s; in its history: %t", id, status, requested[id]))
		}
	}
	fx.t.Logf("%d cancels were acknowledged", len(fx.cancelled))
	if len(fx.cancelled) == 0 {
		faults = append(faults, "no cancel was acknowledged")
	}
	return faults
}

// startsWork waits until a start is acknowledged again, and returns after how long.
func (fx *fixture) startsWork(patience time.Duration) time.Duration {
	fx.t.Helper()
	number := 0
	return fx.await(patience, "a start should be acknowledged again", func() bool {
		number++
		body := map[string]any{"definition": "linear", "data": Data{}}
		status, err := fx.anyAPI(number).call(http.MethodPost, "/v1/sagas", "", body, nil)
		return err == nil && slices.Contains([]int{http.StatusOK, http.StatusCreated}, status)
	})
}
