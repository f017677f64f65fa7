package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// figures are the measurements of a scenario.
type figures struct {
	Fault    int    `json:"fault"`
	Name     string `json:"name"`
	Seed     uint64 `json:"seed"`
	Rate     int    `json:"starts_per_second"`
	Sagas    int    `json:"sagas"`
	Injected int    `json:"injected"`

	Completed, Compensated, Stuck int

	Stall    seconds `json:"stall_s"`          // longest time without any transition, after a fault
	Slowest  seconds `json:"slowest_saga_s"`   // longest time until a saga moved that was running when a fault began
	Progress seconds `json:"first_progress_s"` // from the end of a fault to the next transition of any saga
	Settled  seconds `json:"settled_s"`        // from the last end of a fault, or the last start, to the last transition

	Late50  seconds `json:"timer_late_p50_s"`
	Late99  seconds `json:"timer_late_p99_s"`
	LateMax seconds `json:"timer_late_max_s"`
	Timers  int     `json:"timers"`
	Early   int     `json:"timers_early"`

	Refused    int      `json:"starts_refused"`           // unacknowledged tries of starts
	Tries      int      `json:"start_tries"`              // of the start with the most
	Unscripted int      `json:"unscripted_compensations"` // sagas compensated only because of the fault
	Duplicates int      `json:"commands_repeated"`        // commands delivered twice, concurrently
	Deliveries int      `json:"poison_deliveries,omitempty"`
	Violations int      `json:"violations"`
	Faults     []string `json:"faults,omitempty"` // why it did not pass
}

type seconds float64

func (s seconds) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%.2f", float64(s)), nil }

func (s seconds) String() string { return fmt.Sprintf("%.2f", float64(s)) }

func in(d time.Duration) seconds { return seconds(d.Seconds()) }

func (f figures) line() string {
	content, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return "CHAOS " + string(content)
}

// measure computes the times from the histories.
func (f *figures) measure(e evidence, spells []spell, quiet time.Time, storeAway bool) {
	f.Sagas = len(e.Sagas)
	for _, s := range e.answered {
		switch s.Status {
		case saga.Completed:
			f.Completed++
		case saga.Compensated:
			f.Compensated++
		case saga.Stuck:
			f.Stuck++
		}
	}
	f.recovery(e, spells, quiet)
	if !storeAway {
		spells = nil
	}
	f.timers(e, spells)
}

// recovery examines the time after each fault. quiet is when the last fault had ended and the last saga was started.
func (f *figures) recovery(e evidence, spells []spell, quiet time.Time) {
	ends := lastMoves(e.entries)
	for i, s := range spells {
		until := quiet
		if i+1 < len(spells) {
			until = spells[i+1].struck
		}
		last, waiting, progressed := s.struck, underWay(e.entries, ends, s.struck), false
		for _, one := range e.entries {
			if one.At.Before(s.struck) {
				continue
			}
			if !progressed && !s.healed.IsZero() && one.At.After(s.healed) {
				f.Progress, progressed = max(f.Progress, in(one.At.Sub(s.healed))), true
			}
			if one.At.After(until) {
				break
			}
			f.Stall, last = max(f.Stall, in(one.At.Sub(last))), one.At
			if waiting[one.SagaID] {
				f.Slowest = max(f.Slowest, in(one.At.Sub(s.struck)))
				delete(waiting, one.SagaID)
			}
		}
	}
	if n := len(e.entries); n > 0 {
		f.Settled = max(0, in(e.entries[n-1].At.Sub(quiet)))
	}
}

func lastMoves(entries []entry) map[string]time.Time {
	last := make(map[string]time.Time)
	for _, one := range entries {
		last[one.SagaID] = one.At
	}
	return last
}

// underWay returns the sagas that were running at that time.
func underWay(entries []entry, ends map[string]time.Time, at time.Time) map[string]bool {
	found := make(map[string]bool)
	for _, one := range entries {
		if one.At.After(at) {
			break
		}
		if ends[one.SagaID].After(at) {
			found[one.SagaID] = true
		}
	}
	return found
}

// timers measures how late each retry was sent, compared with the step's policy, which has no jitter here. It leaves out
// attempts whose command waited in the outbox, since their time did not run, and those due while the store was
// unavailable.
func (f *figures) timers(e evidence, away []spell) {
	type attempt struct {
		saga, step   string
		compensating bool
	}
	planned := make(map[attempt]time.Time)
	var late []time.Duration
	for _, one := range e.entries {
		compensating := one.Type == saga.EntryCompensationRetry || one.Type == saga.EntryCompensationSent ||
			one.Type == saga.EntryCompensationExhausted
		key := attempt{one.SagaID, one.Step, compensating}
		switch one.Type {
		case saga.EntryCompensationExhausted:
			delete(planned, key) // an operator's retry comes at once
		case saga.EntryStepAttemptFailed, saga.EntryCompensationRetry:
			wait := time.Second
			if one.Attempt < 5 {
				wait = min(wait, 100*time.Millisecond<<(one.Attempt-1))
			}
			planned[key] = one.At.Add(wait)
		case saga.EntryStepDispatched, saga.EntryCompensationSent:
			if due, waited := planned[key]; waited && !during(away, due) {
				late = append(late, one.At.Sub(due))
			}
			delete(planned, key)
		}
	}
	if f.Timers = len(late); f.Timers == 0 {
		return
	}
	slices.Sort(late)
	f.Late50, f.Late99, f.LateMax = in(late[len(late)/2]), in(late[(len(late)*99)/100]), in(late[len(late)-1])
	f.Early, _ = slices.BinarySearch(late, -time.Millisecond)
}

// during reports whether a time lies in a spell, or in the moments needed to reconnect.
func during(spells []spell, due time.Time) bool {
	for _, s := range spells {
		if due.After(s.struck.Add(-time.Second)) && due.Before(s.healed.Add(3*time.Second)) {
			return true
		}
	}
	return false
}
