package loadtest

import (
	"math"
	"time"
)

// Report is the result of a run. Its JSON names are stable. Unknown figures are absent.
type Report struct {
	Name    string `json:"name"`              // the system under test
	Variant string `json:"variant,omitempty"` // A: all sagas succeed; B: the last step fails; otherwise a description of the load

	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate,omitempty"` // requested sagas per second of an open loop
	Seconds  float64 `json:"seconds"`        // length of the measured window

	Sagas          int     `json:"sagas"`            // ended as expected within the window
	Failed         int     `json:"failed"`           // did not end as expected, including those of the warm-up
	Missed         int     `json:"missed,omitempty"` // see Outcome.Missed
	SagasPerSecond float64 `json:"sagas_per_second"`

	Latency *Percentiles `json:"latency_ms,omitempty"`

	// CPU is milliseconds of CPU time per saga, by process. Total is absent if the time of one process is unknown.
	CPU               map[string]float64 `json:"cpu_ms_per_saga,omitempty"`
	WALBytes          *float64           `json:"wal_bytes_per_saga,omitempty"`
	WriteTransactions *float64           `json:"write_transactions_per_saga,omitempty"`
	Commits           *float64           `json:"commits_per_saga,omitempty"`
	Messages          *float64           `json:"messages_per_saga,omitempty"`
	Batch             map[string]float64 `json:"batch,omitempty"`       // mean size by kind of batch
	PeakRSS           map[string]float64 `json:"peak_rss_mb,omitempty"` // sum over the processes of a group
}

// Percentiles of the latencies, in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Total is the key of the sum over all processes in Report.CPU.
const Total = "total"

// NewReport returns the report of a load and its meter. The caller adds the messages and batches.
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

// Figure returns a pointer to the rounded value.
func Figure(value float64, digits int) *float64 {
	value = Round(value, digits)
	return &value
}

// Round rounds to a number of decimal digits, so that reports are readable and comparable.
func Round(value float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(value*scale) / scale
}
