package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// HealthConfig says when a worker queue is unhealthy.
type HealthConfig struct {
	AlertDepth       int           // messages ready for a worker beyond which it is; default: 1000; negative: any message
	AlertAge         time.Duration // age of the oldest command out beyond which it is; default: 5 min
	AlertDeadLetters int           // dead letters of the last hour beyond which it is; default: 100; negative: any
	HealthInterval   time.Duration // time between two checks; default: 30 s
}

func (c HealthConfig) withDefaults() HealthConfig {
	c.AlertDepth, c.AlertDeadLetters = cmp.Or(c.AlertDepth, 1000), cmp.Or(c.AlertDeadLetters, 100)
	c.AlertAge, c.HealthInterval = cmp.Or(c.AlertAge, 5*time.Minute), cmp.Or(c.HealthInterval, 30*time.Second)
	return c
}

func (c HealthConfig) checkHealth() error {
	if c.AlertAge < 0 {
		return errors.New("alert age: must not be negative")
	}
	if c.HealthInterval < 0 {
		return errors.New("health interval: must not be negative")
	}
	return nil
}

// newHealth returns what checks worker queues.
func (s *Server) newHealth() *operate.Health {
	return operate.NewHealth(operate.HealthConfig{
		Queues: s.store, Inspect: s.broker.Inspect, Sinks: s.events.sinks, Holder: rand.Text(), Every: s.config.HealthInterval,
		Limits: operate.HealthLimits{
			Depth: max(s.config.AlertDepth, 0), Age: s.config.AlertAge, DeadLetters: int64(max(s.config.AlertDeadLetters, 0)),
		},
		Turned: func([]record.QueueHealth) { s.events.stored() }, Logger: s.config.Logger,
	})
}
