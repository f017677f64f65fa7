package api_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api"
)

// deadLetteringBroker is a broker that may stop to dead-letter.
type deadLetteringBroker struct {
	questioned
	stopped, away atomic.Bool
}

func (m *deadLetteringBroker) DeadLettering(context.Context) (works bool, err error) {
	if m.away.Load() {
		return false, errors.New("dial tcp 10.1.2.3:5672: refused for app:secret")
	}
	return !m.stopped.Load(), nil
}

func TestReadinessTellsWhetherTheBrokerDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		m := &deadLetteringBroker{questioned: questioned{Broker: broker.Broker}}
		m.away.Store(true)
		registry := prometheus.NewRegistry()
		monitor := api.NewMonitor(api.MonitorConfig{Reads: reads, Broker: m, Registry: registry})
		handler := api.New(api.Config{Reads: reads, Broker: m, Auth: api.AuthNone, Monitor: monitor, Registry: registry})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { monitor.Run(ctx) })
		defer func() { cancel(); running.Wait() }()
		shows := func(wanted, metric string) {
			t.Helper()
			time.Sleep(5*time.Minute + time.Second)
			synctest.Wait()
			status, body := probe(handler, "/readyz?verbose")
			assert.Equal(t, http.StatusOK, status, "sagas go on")
			assert.Contains(t, body, `"dead_lettering":"`+wanted+`"`)
			assert.NotContains(t, body, "secret")
			_, metrics := probe(handler, "/metrics")
			assert.Contains(t, metrics, "\nsaga_dead_lettering_stopped "+metric+"\n")
		}
		shows("unknown", "0")
		m.away.Store(false)
		shows("ok", "0")
		m.stopped.Store(true)
		shows("stopped", "1")
		m.away.Store(true)
		shows("stopped", "1") // nothing says that it is back
		m.away.Store(false)
		m.stopped.Store(false)
		shows("ok", "0")
	})
}
