package api

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// censusShare bounds the cost of counting: the next count waits for this many times as long as the last one took.
	censusShare = 50
	// maxDefinitionLabels bounds the definitions that a gauge names. Further ones are counted together.
	maxDefinitionLabels = 200
	otherDefinitions    = "other"
)

// census are the gauges of sagas and worker queues. Each replica sets them to the same counts of the database and the
// broker, so a dashboard takes their maximum over the replicas, never their sum.
type census struct {
	sagas, attention       *prometheus.GaugeVec
	depth, consumers, sent *prometheus.GaugeVec
	unhealthy              *prometheus.GaugeVec
}

func newCensus(registry *prometheus.Registry) *census {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	c := &census{
		sagas:     gauge("saga_sagas", "Unfinished sagas, by status.", "definition", "status"),
		attention: gauge("saga_attention", "Sagas that need an operator, by reason.", "definition", "reason"),
		depth:     gauge("saga_queue_depth", "Messages of a worker queue that are ready for a worker.", "queue"),
		consumers: gauge("saga_queue_consumers", "Consumers of a worker queue.", "queue"),
		sent:      gauge("saga_queue_commands_out", "Commands of a worker queue that wait for a reply.", "queue"),
		unhealthy: gauge("saga_queue_unhealthy", "1 if a worker queue is unhealthy as of the last check, else 0.", "queue"),
	}
	registry.MustRegister(c.sagas, c.attention, c.depth, c.consumers, c.sent, c.unhealthy)
	return c
}

// count counts sagas, unless the last count was too slow to be repeated already.
func (m *Monitor) count(ctx context.Context) {
	if time.Now().Before(m.countAt) {
		return
	}
	begun := time.Now()
	limited, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	unfinished, failure := m.config.Reads.Unfinished(limited)
	attention, err := m.config.Reads.Attention(limited)
	m.countAt = time.Now().Add(censusShare * time.Since(begun))
	if failure != nil || err != nil {
		return // the gauges keep their values
	}
	m.census.counted(unfinished, attention)
}

func (c *census) counted(unfinished []record.Count, attention []record.AttentionCount) {
	named := make(map[string]bool)
	label := func(definition string) string {
		if !named[definition] && len(named) == maxDefinitionLabels {
			return otherDefinitions
		}
		named[definition] = true
		return definition
	}
	c.sagas.Reset()
	for _, count := range unfinished {
		c.sagas.WithLabelValues(label(count.Definition), string(count.Status)).Add(float64(count.Sagas))
	}
	c.attention.Reset()
	for _, count := range attention {
		c.attention.WithLabelValues(label(count.Definition), string(count.Reason)).Add(float64(count.Sagas))
	}
}

// sampled sets the gauges of queues. A queue without a known value has none.
func (c *census) sampled(taken map[string]resource.QueueSample) {
	for _, gauge := range []*prometheus.GaugeVec{c.depth, c.consumers, c.sent} {
		gauge.Reset()
	}
	named := 0
	for queue, sample := range taken {
		if named++; named > maxSampled {
			return
		}
		if sample.Depth != nil {
			c.depth.WithLabelValues(queue).Set(float64(*sample.Depth))
		}
		if sample.Consumers != nil {
			c.consumers.WithLabelValues(queue).Set(float64(*sample.Consumers))
		}
		if sample.CommandsOut != nil {
			c.sent.WithLabelValues(queue).Set(float64(*sample.CommandsOut))
		}
	}
}
