package browser_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/browser"
	testenv "github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// With Postgres and RabbitMQ, a group of 60 is repaired from the ticked rows and from the filter, and its progress is shown.
func TestABulkActionIsFollowedOnRealServers(t *testing.T) {
	t.Parallel()
	url, prefix := testenv.Broker(t, "work")
	d := open(t, browser.Look{}, func(c *server.Config) {
		c.DatabaseURL, c.AMQPURL, c.AMQPPrefix, c.Migrate = testenv.Database(t), url, prefix, true
		c.QueueType = "classic"
	})
	working, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var worked sync.WaitGroup
	transport := steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix})
	d.define("order", orderBody)
	worked.Go(func() { _ = transport.Receive(working, "work", 20, d.work) })
	t.Cleanup(func() { stop(); worked.Wait() })
	var ids []string
	for i := range 60 {
		ids = append(ids, d.start("order", fmt.Sprintf("order-%02d", i), `{"email":"nobody"}`).ID)
	}
	for _, id := range ids {
		d.until(id, saga.Stuck)
	}
	d.visit("/ui/sagas?status=stuck")
	d.see("50 on this page")
	d.click("Next page")
	d.see("10 on this page")
	d.tick(3)
	d.see("3 ticked")
	d.click("Act on the ticked")
	d.see("Act on 3 sagas")
	d.choose("abandon")
	d.see("Ends the saga as it stands")
	d.fill("reason", "test orders")
	d.click("Dry run")
	d.see("3 of 3 would be acted upon")
	d.click("Abandon 3 of 3")
	d.see("Abandon 3 sagas")
	d.see("completed")

	d.visit("/ui/sagas?status=stuck")
	d.click("Act on all that match")
	d.choose("patch_data")
	d.fill("patch", `{"email":"ken@example.com"}`)
	d.fill("reason", "repaired")
	d.fill("rate", "40")
	d.click("Fix data without a dry run")
	d.see("57 of 57")
	d.visit("/")
	d.click("Retry")
	d.fill("reason", "repaired")
	d.fill("canary", "5")
	d.click("Retry without a dry run")
	d.see("5 of 57")
	d.click("Continue with 52")
	d.see("57 of 57")
	completed := func() bool {
		stats, err := d.client.Stats(t.Context())
		return err == nil && stats.Sagas["order"][saga.Completed] == 57 && stats.Sagas["order"][saga.Abandoned] == 3
	}
	require.Eventually(t, completed, browser.Patience, 50*time.Millisecond)
	d.fine()
}
