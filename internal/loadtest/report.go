package loadtest

import (
	"math"
	"time"
)

// Report is what a run has to tell. The names in JSON stay as they are; figures that are not known are left out.
type Report struct {
	Name    string `json:"name"`              // of the system
	Variant string `json:"variant,omitempty"` // A: all succeed. B: the last step fails for good. Else what was asked for

	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate,omitempty"` // sagas per second that were asked for; left out: a closed loop
	Seconds  float64 `json:"seconds"`        // that were measured

	Sagas          int     `json:"sagas"`  // that came to the expected end within them
	Failed         int     `json:"failed"` // that did not, warm-up included
	Missed         int     `json:"missed,omitempty"`
	SagasPerSecond float64 `json:"sagas_per_second"`

	Latency *Percentiles `json:"latency_ms,omitempty"`

	// CPU is milliseconds of CPU for one saga, by process, and their total unless one of them is not known.
	CPU               map[string]float64 `json:"cpu_ms_per_saga,omitempty"`
	WALBytes          *float64           `json:"wal_bytes_per_saga,omitempty"`
	WriteTransactions *float64           `json:"write_transactions_per_saga,omitempty"`
	Commits           *float64           `json:"commits_per_saga,omitempty"`
	Messages          *float64           `json:"messages_per_saga,omitempty"`
	Batch             map[string]float64 `json:"batch,omitempty"`       // mean size, by what was batched
	PeakRSS           map[string]float64 `json:"peak_rss_mb,omitempty"` // of all processes of that name together
}

// Percentiles are of the latencies, in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Total is the name under which CPU has the sum of all processes.
const Total = "total"

// NewReport puts together what a load has seen and what a meter has measured. Its caller knows the rest: the messages,
// and the batches.
func NewReport(name, variant string, load Load, outcome Outcome, usage Usage) Report {
	load = load.WithDefaults()
	r := Report{
		Name: name, Variant: variant, InFlight: load.InFlight, Rate: load.Rate, Seconds: Round(outcome.Seconds(), 3),
		Sagas: outcome.Sagas, Failed: outcome.Failed, Missed: outcome.Missed, Latency: percentiles(outcome.Latencies),
	}
	if outcome.Seconds() > 0 {
		r.SagasPerSecond = Round(float64(outcome.Sagas)/outcome.Seconds(), 1)
	}
	if len(usage.Peak) > 0 {
		r.PeakRSS = make(map[string]float64)
	}
	for name, bytes := range usage.Peak {
		r.PeakRSS[name] = Round(float64(bytes)/(1<<20), 1)
	}
	if outcome.Sagas > 0 {
		r.perSaga(usage, float64(outcome.Sagas))
	}
	return r
}

func (r *Report) perSaga(usage Usage, sagas float64) {
	if len(usage.CPU) > 0 {
		r.CPU = make(map[string]float64)
	}
	var total time.Duration
	for name, spent := range usage.CPU {
		r.CPU[name] = Round(milliseconds(spent)/sagas, 3)
		total += spent
	}
	if len(usage.CPU) > 0 && len(usage.Unknown) == 0 {
		r.CPU[Total] = Round(milliseconds(total)/sagas, 3)
	}
	if wrote := usage.Postgres; wrote != nil {
		r.WALBytes = Figure(float64(wrote.WAL)/sagas, 0)
		r.WriteTransactions = Figure(float64(wrote.Transactions)/sagas, 3)
		r.Commits = Figure(float64(wrote.Commits)/sagas, 3)
	}
}

func percentiles(l Latencies) *Percentiles {
	if l.Count() == 0 {
		return nil
	}
	at := func(share float64) float64 { return Round(milliseconds(l.Quantile(share)), 2) }
	return &Percentiles{P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Figure is a number that is known.
func Figure(value float64, digits int) *float64 {
	value = Round(value, digits)
	return &value
}

// Round cuts digits that say nothing, for people and for comparing files.
func Round(value float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(value*scale) / scale
}
