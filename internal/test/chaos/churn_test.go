package chaos

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var (
	churnFor  = flag.Duration("churn.for", 6*time.Second, "how long each half of the churn lasts; from 4m on, sizes and times are judged")
	churnRate = flag.Int("churn.rate", 600, "sagas to start per second in a churn that is judged")
)

// judgedFrom is long enough for autovacuum, which looks once a minute, to come several times in each quarter.
const judgedFrom = 4 * time.Minute

// TestChurn runs sagas through a database that keeps them, and then through one that deletes them after some seconds.
func TestChurn(t *testing.T) {
	t.Parallel()
	kept := churn(t, "0")
	deleted := churn(t, "5s")
	t.Logf("p99 of a start: %s without retention, %s with it", kept.p99, deleted.p99)
	assert.Zero(t, kept.gone)
	assert.Positive(t, deleted.gone, "retention deletes meanwhile")
	if *churnFor >= judgedFrom {
		assert.Less(t, deleted.late, deleted.early*13/10, "bytes of the tables, at half time and at the end")
		assert.Less(t, deleted.p99, max(kept.p99*13/10, 50*time.Millisecond))
	}
}

// churned is what a half of the churn showed.
type churned struct {
	p99         time.Duration
	gone        int // sagas that were deleted
	early, late int // bytes of tables and indexes, at half time and at the end; the audit log is kept by default and left out
}

// churn starts sagas for a while, with an age for retention.
func churn(t *testing.T, age string) (c churned) {
	t.Helper()
	fx := newFixture(t, testServers.take(t), scenario{
		number: 80, name: "churn", replicas: 1, unloaded: true, replicaEnvironment: []string{
			"ORCHESTRATOR_RETAIN_COMPLETED=" + age, "ORCHESTRATOR_RETAIN_KEYS=" + age, "ORCHESTRATOR_RETENTION_INTERVAL=1s",
		},
	}, 1)
	defer fx.removeQueues()
	size := func() int {
		return fx.count(`select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
			where relname in ('sagas', 'saga_decisions', 'outbox', 'idempotency_keys', 'events') and relkind = 'r'`)
	}
	clients, pause := fewClients, shortPause
	if *churnFor >= judgedFrom {
		clients = 24
		pause = time.Duration(clients) * time.Second / time.Duration(*churnRate)
	}
	first := fx.p99OfStarts(*churnFor/2, clients, pause)
	c.early = size()
	c.p99 = max(first, fx.p99OfStarts(*churnFor/2, clients, pause))
	c.late = size()
	started := len(fx.load.known)
	if age != "0" {
		fx.await(60*time.Second, "the first sagas should be deleted", func() bool { return fx.count(`select count(*) from sagas`) < started })
	}
	c.gone = started - fx.count(`select count(*) from sagas`)
	t.Logf("retention %s: %d sagas, %d deleted, %d and then %d bytes, %d dead rows, %d autovacuums", age, started, c.gone, c.early, c.late,
		fx.count(`select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables`),
		fx.count(`select coalesce(sum(autovacuum_count), 0)::bigint from pg_stat_user_tables`))
	return c
}
