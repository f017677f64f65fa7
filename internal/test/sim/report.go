package sim

import (
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Report is the result of simulations.
type Report struct {
	Seeds      int
	Sagas      int
	Entries    int    // of histories
	Events     uint64 // of the simulation itself
	Commands   int
	Effects    int
	Rewinds    int    // that ended
	Children   int    // sagas that were started as children
	Signals    int    // that were taken in
	Skips      int    // by conditions
	Waits      int    // of any kind
	Digest     uint64 // of everything that happened, in order
	Faults     [faultKinds]int
	Ends       map[saga.Status]int
	Violations []Violation
	Trace      []string // of the requested saga
}

// Run runs one simulation with that many sagas. Equal arguments give equal reports.
func Run(seed uint64, sagas int) Report { return run(seed, sagas, "") }

// TraceSaga repeats a simulation and returns the trace of one saga.
func TraceSaga(seed uint64, sagas int, sagaID string) []string { return run(seed, sagas, sagaID).Trace }

func run(seed uint64, sagas int, traced string) Report {
	s := newSimulation(seed, traced)
	s.simulate(sagas)
	e := s.evidence
	report := Report{
		Seeds: 1, Sagas: len(e.sagas), Events: s.events, Faults: s.Faults, Ends: make(map[saga.Status]int),
		Violations: e.check(), Trace: e.trace,
	}
	for _, d := range e.sagas {
		report.Entries += len(d.entries)
		for i := range d.entries {
			report.countEntry(&d.entries[i])
		}
		if d.instance.Parent != nil {
			report.Children++
		}
		report.Commands += len(d.commands)
		report.Effects += len(d.effects)
		report.Ends[d.instance.Status]++
	}
	report.Digest = s.digest
	return report
}

func (r *Report) countEntry(entry *saga.Entry) {
	switch entry.Type {
	case saga.EntryRewound:
		r.Rewinds++
	case saga.EntryStepWaits:
		r.Waits++
	case saga.EntrySignalGiven:
		r.Signals++
	case saga.EntryStepSkipped:
		if entry.Actor == "" {
			r.Skips++
		}
	}
}

// Add adds another report, except for its digest and trace.
func (r *Report) Add(other Report) {
	r.Seeds += other.Seeds
	r.Sagas += other.Sagas
	r.Entries += other.Entries
	r.Events += other.Events
	r.Commands += other.Commands
	r.Effects += other.Effects
	r.Rewinds += other.Rewinds
	r.Children += other.Children
	r.Signals += other.Signals
	r.Skips += other.Skips
	r.Waits += other.Waits
	for i, times := range other.Faults {
		r.Faults[i] += times
	}
	if r.Ends == nil {
		r.Ends = make(map[saga.Status]int)
	}
	for status, sagas := range other.Ends {
		r.Ends[status] += sagas
	}
	r.Violations = append(r.Violations, other.Violations...)
}

// Missing returns the faults that did not happen.
func (r *Report) Missing() []string {
	var missing []string
	for i, times := range r.Faults {
		if times == 0 {
			missing = append(missing, fault(i).String())
		}
	}
	return missing
}

// String formats the report in a few lines.
func (r *Report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d seeds, %d sagas (%d children), %d history entries, %d commands, %d effects, %d rewinds, %d waits, %d signals, %d skipped by conditions, %d events\n",
		r.Seeds, r.Sagas, r.Children, r.Entries, r.Commands, r.Effects, r.Rewinds, r.Waits, r.Signals, r.Skips, r.Events)
	for _, status := range saga.Statuses() {
		if r.Ends[status] > 0 {
			fmt.Fprintf(&text, "  %s: %d\n", status, r.Ends[status])
		}
	}
	for i, times := range r.Faults {
		fmt.Fprintf(&text, "  %s: %d\n", fault(i), times)
	}
	return text.String()
}

// line formats a history entry for a trace.
func line(entry *saga.Entry) string {
	text := fmt.Sprintf("%d %s %s", entry.Seq, entry.Type, entry.Step)
	if entry.Attempt > 0 {
		text += fmt.Sprintf(" #%d", entry.Attempt)
	}
	if entry.Actor != "" {
		text += " by " + entry.Actor
	}
	if len(entry.Detail) > 0 {
		text += fmt.Sprintf(" %v", entry.Detail)
	}
	return text
}
