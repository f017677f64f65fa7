package api

import (
	"context"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// readHealth reads the health of worker queues, for /readyz?verbose and the metric. It leaves out healthy queues that are not in
// use any more.
func (m *Monitor) readHealth(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	health, err := m.config.Reads.QueueHealth(limited)
	if err != nil {
		return // what is known stays
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.queues = slices.DeleteFunc(health, func(h record.QueueHealth) bool {
		_, used := slices.BinarySearch(m.sampled, h.Queue)
		return !h.Unhealthy && !used && m.sampled != nil
	})
	m.census.healthRead(m.queues)
}

// healthRead sets the gauge of unhealthy queues. If there are too many queues to name, it names unhealthy ones first.
func (c *census) healthRead(health []record.QueueHealth) {
	c.unhealthy.Reset()
	named := 0
	for _, unhealthy := range []bool{true, false} {
		for i := range health {
			if health[i].Unhealthy != unhealthy || named == maxSampled {
				continue
			}
			named++
			c.unhealthy.WithLabelValues(health[i].Queue).Set(map[bool]float64{true: 1}[unhealthy])
		}
	}
}
