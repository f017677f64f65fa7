package modelcheck

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const maxSteps = 4

// State is a saga with the workers around it.
type State struct {
	Saga saga.Instance
	// Workers holds what the workers did and can still answer, by step; unused with strangers.
	Workers [maxSteps]Worker
	// Decided means that an operator has decided the outcome of the pivot, so the ledger may know better.
	Decided bool
	// Rewound means that the saga was rewound, where that may happen once only.
	Rewound bool
	// Waived is the set of steps that an operator skipped.
	Waived uint8
}

// Key identifies a state: two states with the same key behave alike forever.
type Key [maxSteps + 1]uint64

// now is the time of every event: the model abstracts from time.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant, if times could be

// later is the time of timers that are not due yet; at muchLater all are due.
const (
	later     = time.Hour
	muchLater = 3 * time.Hour
)

// normalize maps an instance to a representative of all that behave alike. Times only keep whether they are set, and
// none is due. At most one attempt or round stands for all earlier ones, and
// an execution from before a rewind counts only if it may report a first success. The raw instance was checked before.
func normalize(in saga.Instance) saga.Instance {
	in.Steps = slices.Clone(in.Steps)
	in.CreatedAt, in.UpdatedAt, in.ProgressAt = now, now, now
	move(&in.FinishedAt, now)
	move(&in.StartAt, now.Add(later))
	move(&in.DeadlineAt, now.Add(2*later))
	move(&in.WakeAt, now.Add(later))
	in.Data = json.RawMessage(worldData)
	for i := range in.Steps {
		s := &in.Steps[i]
		normalizeWait(s)
		move(&s.StartedAt, now)
		move(&s.FinishedAt, now)
		move(&s.NextAttemptAt, now.Add(later))
		move(&s.DeadlineAt, now.Add(later))
		older(&s.Attempts, &s.AttemptsForgiven)
		older(&s.CompensationAttempts, &s.CompensationForgiven)
		s.Round, s.Rewinds = min(s.Round, 2), 0
		s.EarlierEffect, s.Compensating = min(s.EarlierEffect, 1), min(s.Compensating, 1)
		if len(s.Unsettled) > 0 {
			s.Unsettled = []int{1}
		}
		if len(s.Unsettled) > 0 || s.EarlierEffect > 0 || s.Compensating > 0 {
			s.Rewinds = 1
		}
	}
	if in.Attention != nil {
		attention := *in.Attention
		attention.Since = now
		in.Attention = &attention
	}
	return in
}

func move(at *time.Time, to time.Time) {
	if !at.IsZero() {
		*at = to
	}
}

// older keeps the number of attempts that count, plus one for all earlier ones.
func older(attempts, forgiven *int) {
	if *attempts > 0 {
		*attempts, *forgiven = *attempts-*forgiven+1, 1
	}
}

// key omits what can no longer make a difference.
func (s *State) key() Key {
	var k Key
	in := &s.Saga
	forward := in.Phase == saga.PhaseScheduled || in.Phase == saga.PhaseForward || in.Rewind != nil
	b := bits{}
	b.put(index(saga.Statuses(), in.Status), 3)
	b.put(index([]saga.Phase{saga.PhaseScheduled, saga.PhaseForward, saga.PhaseBackward, saga.PhaseEnded}, in.Phase), 2)
	b.flags(in.PausedByOperator, in.TurnBack != nil, forward && in.DeadlinePassed, in.Overdue, in.WakeAt.IsZero(), s.Decided, s.Rewound)
	b.put(index(saga.Statuses(), in.ReopenedFrom)+1, 4)
	if in.Attention != nil {
		b.put(index(saga.AttentionReasons(), in.Attention.Reason)+1, 4)
	}
	k[0] = b.value
	for i := range in.Steps {
		k[i+1] = stepKey(in, i) | uint64(s.workerKey(i))<<40
	}
	return k
}

func stepKey(in *saga.Instance, i int) uint64 {
	s := &in.Steps[i]
	ended := in.Phase == saga.PhaseEnded || in.ReopenedFrom != "" && !s.Reopened
	attempts, compensations := 0, 0
	if (in.Phase == saga.PhaseForward || in.Rewind != nil) && in.TurnBack == nil && (s.Status == saga.StepRunning || s.Status == saga.StepRetrying) {
		attempts = s.Attempts - s.AttemptsForgiven
	}
	if s.Status == saga.StepCompensating && !ended {
		compensations = s.CompensationAttempts - s.CompensationForgiven
	}
	b := bits{}
	b.put(index(stepStatuses(), s.Status), 4)
	b.put(attempts, 3)
	b.put(compensations, 3)
	b.flags(s.Round > 1, s.CompensationAttempts > 0, s.Uncertain && !s.TookEffect, s.TookEffect, s.Oversized, s.LateEffect,
		s.LateCompensation, s.Reopened, !ended && !s.NextAttemptAt.IsZero(),
		in.Rewind != nil && in.Rewind.To == s.Name, len(s.Unsettled) > 0, s.EarlierEffect > 0, s.Compensating > 0)
	waitKey(&b, s)
	return b.value
}

func stepStatuses() []saga.StepStatus {
	return []saga.StepStatus{
		saga.StepPending, saga.StepRunning, saga.StepRetrying, saga.StepSucceeded, saga.StepFailed, saga.StepUnknown,
		saga.StepSkipped, saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed,
	}
}

func index[T comparable](all []T, one T) int { return slices.Index(all, one) }

// bits packs small numbers into one.
type bits struct {
	value uint64
	used  int
}

func (b *bits) put(number, width int) {
	if number < 0 || number >= 1<<width || b.used+width > 64 {
		panic("modelcheck: a state does not fit its key")
	}
	b.value |= uint64(number) << b.used
	b.used += width
}

func (b *bits) flags(all ...bool) {
	for _, is := range all {
		number := 0
		if is {
			number = 1
		}
		b.put(number, 1)
	}
}

// symmetries returns the permutations of steps that change nothing: same kind, same compensation, same neighbours.
func symmetries(def *saga.Definition) [][]int {
	var found [][]int
	for _, order := range permutations(len(def.Steps)) {
		if exchangeable(def, order) {
			found = append(found, order)
		}
	}
	return found
}

func exchangeable(def *saga.Definition, order []int) bool {
	place := make(map[string]string, len(order))
	for i, to := range order {
		place[def.Steps[i].Name] = def.Steps[to].Name
	}
	for i, to := range order {
		mine, other := &def.Steps[i], &def.Steps[to]
		if mine.Kind != other.Kind || (mine.Compensation == "") != (other.Compensation == "") || len(mine.After) != len(other.After) ||
			mine.Wait() != other.Wait() || mine.When != other.When {
			return false
		}
		for _, name := range mine.After {
			if !slices.Contains(other.After, place[name]) {
				return false
			}
		}
	}
	return true
}

// canonical returns the least key of a state under the exchange of exchangeable steps.
func (k Key) canonical(symmetries [][]int) Key {
	least := k
	for _, order := range symmetries {
		var other Key
		other[0] = k[0]
		for i, to := range order {
			other[to+1] = k[i+1]
		}
		if slices.Compare(other[:], least[:]) < 0 {
			least = other
		}
	}
	return least
}
