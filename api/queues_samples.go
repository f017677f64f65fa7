package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	sampleEvery   = time.Minute // between two that are kept
	sampleTimeout = 10 * time.Second
	maxSamples    = 60    // of one queue: an hour
	maxSampled    = 1_000 // queues
)

// samples keeps the recent past of worker queues in the memory of this process.
type samples struct {
	mutex sync.Mutex
	known map[string][]resource.QueueSample // by queue, oldest first
}

// of returns the samples of a queue.
func (s *samples) of(queue string) []resource.QueueSample {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]resource.QueueSample{}, s.known[queue]...)
}

// add adds one sample of each queue, and drops queues that are gone.
func (s *samples) add(taken map[string]resource.QueueSample) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	next := make(map[string][]resource.QueueSample, len(taken))
	for queue, sample := range taken {
		kept := s.known[queue]
		next[queue] = append(slices.Clone(kept[max(0, len(kept)-maxSamples+1):]), sample)
	}
	s.known = next
}

// sample looks at every worker queue, at most maxSampled, for the gauges and once a minute for the past. It pauses longer if
// looking takes long.
func (m *Monitor) sample(ctx context.Context) {
	begun := time.Now()
	if begun.Before(m.sampleAt) {
		return
	}
	defer func() { m.sampleAt = time.Now().Add(min(sampleEvery, censusShare*time.Since(begun))) }()
	limited, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	names, err := queueNames(limited, m.config.Reads)
	if err != nil {
		return
	}
	loads := make(map[string]record.QueueLoad)
	counted, err := m.config.Reads.QueueLoads(limited)
	for _, load := range counted { // sagas of earlier versions may wait for further queues
		loads[load.Queue] = load
		names = append(names, load.Queue)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	names = names[:min(len(names), maxSampled)]
	states := m.inspection.states(limited, names)
	now := resource.Time{Time: time.Now().UTC().Truncate(time.Microsecond)}
	taken := make(map[string]resource.QueueSample, len(names))
	for _, name := range names {
		sample := resource.QueueSample{At: now}
		if state, ok := states[name]; ok && !state.Locked {
			sample.Depth, sample.Consumers = &state.Depth, &state.Consumers
		}
		if load := loads[name]; err == nil {
			sample.CommandsOut, sample.HeldBack = &load.CommandsOut, &load.HeldBack
		}
		taken[name] = sample
	}
	if ctx.Err() != nil {
		return
	}
	m.mutex.Lock()
	m.sampled = names
	m.mutex.Unlock()
	m.census.sampled(taken)
	if !begun.Before(m.keepAt) {
		m.keepAt = begun.Add(sampleEvery - surveyEvery/2) // a tick may come a little early
		m.samples.add(taken)
	}
}
